package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// headJSON is how far a log has come, as status and verify tell it.
type headJSON struct {
	OK     bool   `json:"ok"`
	Pages  uint64 `json:"pages"`
	Size   uint64 `json:"size"`
	Events uint64 `json:"events"`
	Root   string `json:"root"`
}

func newHeadJSON(ok bool, pages, size, events uint64, root tlog.Hash) headJSON {
	return headJSON{ok, pages, size, events, base64.StdEncoding.EncodeToString(root[:])}
}

// statusJSON is the answer of status.
type statusJSON struct {
	headJSON
	Dir     string    `json:"dir"`
	Book    uuid.UUID `json:"book"`
	Created time.Time `json:"created"`
	Origin  string    `json:"origin"`
	Key     string    `json:"key"`
	// Holder is the id of the process that holds the book, if another does.
	Holder int `json:"holder,omitempty"`
	// Views is where the lists and reports are.
	Views bookdir.ViewsStatus `json:"views"`
	// Witnesses are the names of those that cosign the log's heads, and Quorum how
	// many must.
	Witnesses []string `json:"witnesses"`
	Quorum    int      `json:"quorum,omitempty"`
	// Cosigned is the newest head that they cosigned; absent if there is none.
	Cosigned *cosignedJSON `json:"cosigned,omitempty"`
	// Unwitnessed says what cannot be ruled out.
	Unwitnessed string `json:"unwitnessed,omitempty"`
	// ReadOnly is a copy that takes no commands.
	ReadOnly bool `json:"read_only,omitempty"`
	// Archive is how far the archive reaches; absent where the book has none.
	Archive  *archiveStatusJSON     `json:"archive,omitempty"`
	Failures []transparency.Failure `json:"failures,omitempty"`
}

// cosignedJSON is a cosigned head.
type cosignedJSON struct {
	Size uint64    `json:"size"`
	Root string    `json:"root"`
	At   time.Time `json:"at"`
	// Age is in seconds.
	Age int64 `json:"age"`
}

// archiveStatusJSON is how far the archive reaches. Behind is how many commits the
// log has more, Age the seconds since everything was archived, and Failed why it could
// not be written the last time; absent where it could.
type archiveStatusJSON struct {
	archiveJSON
	Behind uint64                  `json:"behind"`
	Age    int64                   `json:"age"`
	Failed *bookdir.ArchiveFailure `json:"failed,omitempty"`
}

// archived adds how far the archive reaches.
func (s *statusJSON) archived(dir string, now time.Time) error {
	a, err := bookdir.ReadArchive(dir)
	if errors.Is(err, bookdir.ErrNoArchive) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Origin != s.Origin {
		a.Size, a.Page, a.At = 0, 0, time.Time{} // of an earlier epoch
	}
	s.Archive = &archiveStatusJSON{newArchiveJSON(a), s.Size - min(s.Size, a.Size), 0, a.Failed}
	if a.Failed != nil {
		a.Failed.What = plain(errors.New(a.Failed.What))
	}
	if !a.At.IsZero() {
		s.Archive.Age = int64(now.Sub(a.At).Seconds())
	}
	return nil
}

// What nobody can rule out: what a witness would have seen.
const (
	withoutWitness = "none: whoever has the signing key could rewrite the log, and only receipts would show it"
	neverCosigned  = "they have cosigned nothing yet: whoever has the signing key could rewrite the log, and only receipts would show it"
)

// witnessed adds what witnesses have cosigned.
func (s *statusJSON) witnessed(dir string, i bookdir.Info, now time.Time) error {
	for _, w := range i.Witnesses().Keys {
		s.Witnesses = append(s.Witnesses, w.Name)
	}
	s.Quorum = i.Witnesses().Quorum
	if s.Quorum == 0 {
		s.Unwitnessed = withoutWitness
		return nil
	}
	kept, err := bookdir.ReadCosigned(dir, i)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, transparency.ErrQuorum):
		s.Unwitnessed = neverCosigned
		return nil
	case err != nil:
		return err
	}
	s.Cosigned = &cosignedJSON{kept.Head.Size, base64.StdEncoding.EncodeToString(kept.Head.Root[:]), kept.At, int64(now.Sub(kept.At).Seconds())}
	if kept.Head.Size < s.Size {
		s.Unwitnessed = fmt.Sprintf("whoever has the signing key could rewrite the %s after size %d, and only receipts would show it",
			count(s.Size-kept.Head.Size, "commit"), kept.Head.Size)
	}
	return nil
}

// withLog makes a command's function of one that needs the log, and no key.
func (a *app) withLog(f func(ctx context.Context, dir string, l *bookdir.Log) error) func(*cobra.Command, []string) error {
	return a.do(func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		dir, err := a.bookDir()
		if err != nil {
			return err
		}
		l, err := bookdir.OpenLog(ctx, dir, 0, a.log)
		if err != nil {
			return err
		}
		if l.Unclean != "" {
			a.warn("the book was not closed cleanly the last time; before it was opened, the newest files of its log were copied to %s", l.Unclean)
		}
		err = f(ctx, dir, l)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer cancel()
		return a.closed(err, l.Close(ctx))
	})
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how far the book has come",
		Long: `Tell how far the book's log has come, and whether it reaches what was
acknowledged. It needs no passphrase, and reads only what was added since the
last time; daybook verify checks everything.`,
		Args: cobra.NoArgs,
		RunE: a.withLog(func(ctx context.Context, dir string, l *bookdir.Log) error {
			m := a.meter("Counting events")
			status, err := l.Status(ctx, m.at)
			m.end()
			if err != nil {
				return err
			}
			at, err := a.viewsAt()
			if err != nil {
				return err
			}
			shown, err := l.Views(ctx, at)
			if err != nil {
				return err
			}
			answer := statusJSON{
				headJSON: newHeadJSON(status.OK, status.Pages, status.Size, status.Events, status.Root),
				Dir:      dir, Book: l.Info.Book, Created: l.Info.Created, Origin: l.Info.Origin, Key: l.Info.Key,
				Holder: l.Holder, Views: shown, Witnesses: []string{}, ReadOnly: l.Info.ReadOnly, Failures: status.Failures,
			}
			if err := errors.Join(answer.witnessed(dir, l.Info, a.now()), answer.archived(dir, a.now())); err != nil {
				return err
			}
			if err := a.answer(answer, answer.people); err != nil {
				return err
			}
			return notVerified(status.Failures, !status.OK)
		}),
	}
}

func (s statusJSON) people(w io.Writer) {
	t := newTable("", "")
	t.add("Book", s.Book.String())
	t.add("Folder", s.Dir)
	t.add("Made", s.Created.Local().Format(time.DateTime))
	t.add("Log", fmt.Sprintf("%s, %s, %s", count(s.Pages, "page"), count(s.Size, "commit"), count(s.Events, "event")))
	t.add("Root", s.Root)
	t.add("Public key", s.Key)
	if s.Holder != 0 {
		t.add("Held by", fmt.Sprintf("process %d", s.Holder))
	}
	tellViews(t, s.Views, s.Size)
	switch {
	case s.Quorum == 0:
		t.add("Witness", withoutWitness)
	case s.Cosigned == nil:
		t.add("Witness", fmt.Sprintf("%s: %s", strings.Join(s.Witnesses, ", "), neverCosigned))
	default:
		t.add("Witness", fmt.Sprintf("%d of %s", s.Quorum, strings.Join(s.Witnesses, ", ")))
		t.add("Cosigned", fmt.Sprintf("size %d, %s ago", s.Cosigned.Size, time.Duration(s.Cosigned.Age)*time.Second))
		if s.Unwitnessed != "" {
			t.add("", s.Unwitnessed)
		}
	}
	switch {
	case s.Archive == nil:
		t.add("Archive", "none: what this disk loses is lost")
	case s.Archive.At.IsZero():
		t.add("Archive", s.Archive.To+", nothing of this log yet")
	default:
		t.add("Archive", fmt.Sprintf("%s, %s behind, complete %s ago", s.Archive.To, count(s.Archive.Behind, "commit"), time.Duration(s.Archive.Age)*time.Second))
	}
	if s.Archive != nil && s.Archive.Failed != nil {
		t.add("", fmt.Sprintf("since %s no try to write to it succeeded: %s", s.Archive.Failed.Since.Local().Format(time.DateTime), s.Archive.Failed.What))
	}
	switch {
	case s.Archive == nil || !s.Archive.Required:
	case s.Archive.Failed != nil:
		t.add("", "receipts wait for it: no command is taken until one does")
	default:
		t.add("", "receipts wait for it")
	}
	if s.ReadOnly {
		t.add("", "a copy that takes no commands")
	}
	if s.OK {
		t.add("State", "reaches everything that was acknowledged")
	}
	t.write(w)
	tellFailures(w, s.Failures)
}

// notVerified is the error of a log that is not as it should be.
func notVerified(failures []transparency.Failure, bad bool) error {
	if !bad {
		return nil
	}
	code, message := codeNotVerified, "the log is not as it should be"
	if len(failures) > 0 {
		code, message = failures[0].Code, failures[0].What
		if len(failures) > 1 {
			message = fmt.Sprintf("%s, and %s", message, count(len(failures)-1, "more failure"))
		}
	}
	return fail(code, hintOf(code, cmp.Or(hints[code], hintBackup)), "%s", message)
}

func tellFailures(w io.Writer, failures []transparency.Failure) {
	if len(failures) == 0 {
		return
	}
	t := newTable(">PAGE", ">POSITION", "CODE", "WHAT")
	for _, f := range failures {
		t.add(fmt.Sprint(f.Page), fmt.Sprint(f.Position), f.Code, f.What)
	}
	fmt.Fprintln(w)
	t.write(w)
}
