package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/remote"
	"github.com/daybook-ledger/daybook/projections/views"
)

const (
	// closeWithin is how long what is under way may take to settle at the end.
	closeWithin = 30 * time.Second
	// busyWithin is how long a command waits for a process that holds the book
	// and takes none, such as a verification.
	busyWithin = 15 * time.Second
)

// session is an open book.
type session struct {
	app  *app
	book *bookdir.Book
	// kept is the views, and recalled those of another moment; nil until they are
	// asked for.
	kept     *bookdir.Views
	recalled *bookdir.Recalled
	// at is the moment that is asked for, and day the day that it is on.
	at  views.Moment
	day domain.Date
	// id is that of the one command that the process gives.
	id uuid.UUID
	// receipt is where its receipt is to go; nil for nowhere.
	receipt *receiptFile
	// entered is the command once it was entered, nil before.
	entered *change
}

// withBook makes a command's function of one that needs the book.
func (a *app) withBook(f func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return a.do(func(cmd *cobra.Command, args []string) error {
		s, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		if err = s.commandFlags(cmd.Context(), cmd); err == nil {
			err = s.momentFlags(cmd.Context(), cmd)
		}
		if err == nil {
			err = s.unanswered(f(cmd.Context(), s, cmd, args), context.Cause(cmd.Context()))
		}
		err = errors.Join(err, s.receipt.end())
		return a.closed(err, s.close(cmd.Context()))
	})
}

// closed is the error of a command after the book was closed, which may have
// failed, too. What was acknowledged stays, and what was answered was true: so
// that alone is no failure of the command.
func (a *app) closed(err, closing error) error {
	if err == nil && closing != nil {
		a.warn("the book could not be closed cleanly: %s", plain(closing))
		return nil
	}
	return errors.Join(err, closing)
}

// open opens the book that is meant.
func (a *app) open(ctx context.Context) (*session, error) {
	a.compile()
	dir, err := a.bookDir()
	if err != nil {
		return nil, err
	}
	info, err := bookdir.ReadInfo(dir)
	if err != nil {
		return nil, err
	}
	root, err := a.root(dir, info.KeyFile)
	if err != nil {
		return nil, err
	}
	viewsAt, err := a.viewsAt()
	if err != nil {
		return nil, err
	}
	<-a.compiled
	m := a.meter("Reading the log")
	defer m.end()
	book, err := bookdir.Open(ctx, dir, bookdir.Options{Root: root, Views: viewsAt, Clock: a.clock, Log: a.log, Progress: m.at})
	if err != nil {
		return nil, err
	}
	if book.Unclean() != "" {
		a.warn("the book was not closed cleanly the last time; before it was opened, the newest files of its log were copied to %s", book.Unclean())
	}
	return &session{app: a, book: book, day: a.today()}, nil
}

// close closes the book, whatever became of the context.
func (s *session) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	var err error
	if s.recalled != nil {
		err = s.recalled.Close()
	}
	if s.kept != nil {
		err = errors.Join(err, s.kept.Close())
	}
	return errors.Join(err, s.book.Close(ctx))
}

// now gives the views, brought forward to what was acknowledged up to now.
func (s *session) now(ctx context.Context) (*views.Queries, error) {
	m := s.app.meter("Bringing the lists up to date")
	defer m.end()
	if s.kept == nil {
		opened, err := s.book.OpenViews(ctx, m.at)
		if err != nil {
			return nil, err
		}
		s.kept = opened
	}
	return s.kept.Queries, s.kept.CatchUp(ctx)
}

// changing adds the flags of commands that change the book.
func changing(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("command-id", "", "the command's own `ID`, a UUID: what is repeated with the same one is entered once")
	cmd.Flags().String("receipt", "", receiptUsage)
	return cmd
}

// receiptUsage is what the flag of a command's receipt says.
const receiptUsage = "write the signed receipt to this new `FILE`"

// commandFlags reads the flags of changing, where the command has them.
func (s *session) commandFlags(ctx context.Context, cmd *cobra.Command) error {
	s.id = uuid.Must(uuid.NewV7())
	if cmd.Flags().Lookup("command-id") == nil {
		return nil
	}
	given, err := cmd.Flags().GetString("command-id")
	if err != nil {
		return err
	}
	if given != "" {
		if s.id, err = uuid.Parse(given); err != nil || s.id == uuid.Nil {
			return usage("--command-id %q is not a UUID", given)
		}
	}
	receipt, err := cmd.Flags().GetString("receipt")
	if err != nil {
		return err
	}
	s.receipt, err = openReceipt(receipt, func() (bool, error) { return s.isReceipt(ctx, receipt) })
	return err
}

// newID is the id of what the command begins. It follows from the command's, so
// that the command can be repeated, and unlike that it does not begin with the
// time: a few of its digits tell it from others.
func (s *session) newID() uuid.UUID {
	return s.book.DeriveID("command-line/" + s.id.String())
}

// change is what is told of a command that was entered.
type change struct {
	Position uint64 `json:"position"`
	// Command is the command's id.
	Command  uuid.UUID `json:"command"`
	Repeated bool      `json:"repeated,omitempty"`
}

// enter gives the process's command to the book.
func (s *session) enter(ctx context.Context, command domain.Command, expect *uint64) (change, error) {
	receipt, err := s.give(ctx, ledger.Envelope{ID: s.id, Principal: s.app.who(), Command: command, Expect: expect})
	if errors.Is(err, ledger.ErrOutcomeUnknown) {
		f := classify(err)
		f.hint = fmt.Sprintf("repeat the command with --command-id %s: it is entered once, whatever happened", s.id)
		return change{}, f
	}
	if err != nil {
		return change{}, err
	}
	return s.keep(receipt)
}

// unanswered is the error of the process's command after it was entered, whatever
// kept it from being answered: nobody must take that for a refusal, and enter it
// twice. What a further step was refused for stays as it is.
func (s *session) unanswered(err, interrupted error) error {
	var told *failure
	var refusal *domain.Refusal
	if err == nil || s.entered == nil || s.app.unheard.gone || errors.As(err, &told) || errors.As(err, &refusal) {
		return err
	}
	return &failure{
		code: codeAnswerLost, entered: s.entered,
		message: fmt.Sprintf("the command was entered at position %d, but its answer is lost: %s", s.entered.Position, explain(err, interrupted).message),
		hint:    fmt.Sprintf("do not repeat it as it is: the same command with --command-id %s is not entered again, and gives answer and receipt", s.entered.Command),
	}
}

// validator is a command that checks its own form.
type validator interface{ Validate() error }

// give gives a command to the book, once its form is right. A process that holds
// the book and takes no commands will be gone soon.
func (s *session) give(ctx context.Context, e ledger.Envelope) (ledger.Receipt, error) {
	return s.submit(ctx, e)()
}

// submit gives a command its place in the order, and gives the function that
// waits for its receipt.
func (s *session) submit(ctx context.Context, e ledger.Envelope) func() (ledger.Receipt, error) {
	if v, is := e.Command.(validator); is {
		if err := v.Validate(); err != nil {
			return func() (ledger.Receipt, error) { return ledger.Receipt{}, err }
		}
	}
	deadline := s.app.now().Add(busyWithin)
	first := s.book.Submit(ctx, e)
	return func() (ledger.Receipt, error) {
		receipt, err := first()
		for wait := 10 * time.Millisecond; errors.Is(err, remote.ErrUnreachable) && s.app.now().Before(deadline); wait = min(2*wait, 500*time.Millisecond) {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ledger.Receipt{}, context.Cause(ctx)
			}
			receipt, err = s.book.Do(ctx, e)
		}
		return receipt, err
	}
}

// keep takes note of what was entered, and writes the receipt where it is wanted.
func (s *session) keep(r ledger.Receipt) (change, error) {
	c := change{Position: r.Position, Command: r.Command, Repeated: r.Repeated}
	if r.Command == s.id {
		s.entered = &c
	}
	if s.receipt == nil {
		return c, nil
	}
	text, err := r.Marshal()
	if err != nil {
		return c, fmt.Errorf("write the receipt: %w", &unwritten{err})
	}
	return c, s.receipt.put(text)
}

// short is how an id is shown to people: enough of it to name it by.
func short(id uuid.UUID) string {
	text, _, _ := strings.Cut(id.String(), "-")
	return text
}
