package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// The codes of what a replay finds.
const (
	// CodeDecision: the sealed command does not give the events that stand with it.
	CodeDecision = "decision-differs"
	// CodeEntries: an event's entries do not balance.
	CodeEntries = "entries-unbalanced"
	// CodeNumber: a number is not the next one of its series.
	CodeNumber = "number-gap"
	// CodeCommandTwice: a command id stands in the log twice.
	CodeCommandTwice = "command-twice"
	// CodeFold: an event cannot follow those before it.
	CodeFold = "event-impossible"
)

// Finding is what a replay found wrong with a commit.
type Finding struct {
	Code, What string
}

// Replayer decides every command of a log again, each against the state of the
// book as it was then, and holds what that gives against what is stored. States
// wait in a file, so that memory does not grow with the book.
type Replayer struct {
	book uuid.UUID
	over *overlay
	// counters are the newest numbers of the series, by series and year.
	counters map[counter]uint64
}

type counter struct {
	series domain.StreamID
	year   int
}

// MaxPending is how many rows should wait in memory before they are written.
const MaxPending = 1 << 16

// replayKey is the row that keeps the rest of a replay.
const replayKey = "replay/1"

// keptReplay is that rest.
type keptReplay struct {
	// Forms are those of the rows.
	Forms    [32]byte      `json:"forms"`
	Counters []keptCounter `json:"counters"`
}

// keptCounter is one of the counters.
type keptCounter struct {
	Series  domain.StreamID `json:"series"`
	Year    int             `json:"year"`
	Counter uint64          `json:"counter"`
}

// NewReplayer begins before the first commit of a book. The file is empty, and
// is the caller's to close and remove.
func NewReplayer(book uuid.UUID, file *state.File) *Replayer {
	return &Replayer{book: book, over: newOverlay(file, 32<<10), counters: make(map[counter]uint64)}
}

// ResumeReplayer goes on where another wrote its rows to a file. ErrDamaged of
// package state where none did, or one of a release that keeps rows in other forms.
func ResumeReplayer(book uuid.UUID, file *state.File) (*Replayer, error) {
	data, found, err := file.Get([]byte(replayKey))
	if err != nil {
		return nil, err
	}
	forms, err := forms()
	if err != nil {
		return nil, err
	}
	var kept keptReplay
	if !found || json.Unmarshal(data, &kept) != nil || kept.Forms != forms {
		return nil, fmt.Errorf("%w: no replay was kept in it", state.ErrDamaged)
	}
	r := NewReplayer(book, file)
	for _, k := range kept.Counters {
		r.counters[counter{k.Series, k.Year}] = k.Counter
	}
	return r, nil
}

// Prepared is a commit with what shows of it by itself.
type Prepared struct {
	commit.Commit
	// facts are those of each event, encoded as this release does, or why they cannot
	// be; entries is what is wrong with the entries.
	facts   []encodedFacts
	entries []Finding
}

type encodedFacts struct {
	data []byte
	err  error
}

// Prepare finds out what shows of a commit by itself: on any core, and in no order.
func Prepare(c commit.Commit) Prepared {
	p := Prepared{Commit: c, facts: make([]encodedFacts, len(c.Events))}
	for i, e := range c.Events {
		p.facts[i].data, _, _, p.facts[i].err = codec.EncodeEvent(e.Event)
		if _, err := account.Post(e.Event, e.Stream); err != nil {
			p.entries = append(p.entries, Finding{CodeEntries, fmt.Sprintf("event %d, %s: %v", i, e.Event.EventType(), err)})
		}
	}
	return p
}

// Replay takes the next commit. An error means that the state file failed, and
// that nothing can be said of later commits.
func (r *Replayer) Replay(c Prepared) ([]Finding, error) {
	var findings []Finding
	add := func(code, format string, args ...any) {
		findings = append(findings, Finding{code, fmt.Sprintf(format, args...)})
	}
	known, err := r.over.get(commandKey(c.ID))
	if err != nil {
		return nil, err
	}
	if known != nil {
		add(CodeCommandTwice, "command %s stands at position %d already", c.ID, known.(commandRow).Position)
	}
	differs, err := r.decide(c)
	if err != nil {
		return nil, err
	}
	if differs != "" {
		add(CodeDecision, "%s by %q under version %d of the rules: %s", c.Command.CommandType(), c.Principal, c.Rules, differs)
	}
	findings = append(findings, c.entries...)
	for _, e := range c.Events {
		if drawn, is := e.Event.(*series.Drawn); is {
			if due := r.draw(e.Stream, drawn); drawn.Counter != due {
				add(CodeNumber, "number %s has counter %d, where %d is due", drawn.Number, drawn.Counter, due)
			}
		}
	}
	_, err = r.over.fold(c.Commit)
	if errors.Is(err, errStates) {
		return nil, err
	}
	if err != nil {
		add(CodeFold, "%v", err)
	}
	return findings, nil
}

// decide gives in words how what the command gives now differs from what is
// stored.
func (r *Replayer) decide(c Prepared) (string, error) {
	if c.Rules > rules.Version {
		return fmt.Sprintf("this program knows the rules up to version %d", rules.Version), nil
	}
	moment := domain.Moment{Book: r.book, Recorded: c.Recorded, Principal: c.Principal}
	changes, err := rules.Replay(states{r.over}, moment, c.Command)
	if errors.Is(err, errStates) {
		return "", err
	}
	if err != nil {
		return "it is refused: " + err.Error(), nil
	}
	if len(changes) != len(c.Events) {
		return fmt.Sprintf("it gives %d events, %d are stored", len(changes), len(c.Events)), nil
	}
	for i, change := range changes {
		same, err := sameFacts(change, c.Events[i], c.facts[i])
		if err != nil {
			return fmt.Sprintf("event %d cannot be compared: %v", i, err), nil
		}
		if !same {
			return fmt.Sprintf("event %d is another %s", i, c.Events[i].Event.EventType()), nil
		}
	}
	return "", nil
}

// sameFacts compares a decided event with a stored one by the facts, which are
// the same whether personal parts were erased or not.
func sameFacts(change domain.Change, stored commit.Event, facts encodedFacts) (bool, error) {
	if change.Stream != stored.Stream || change.Event.EventType() != stored.Event.EventType() {
		return false, nil
	}
	decided, _, _, err := codec.EncodeEvent(change.Event)
	if err := errors.Join(err, facts.err); err != nil {
		return false, err
	}
	return bytes.Equal(decided, facts.data), nil
}

// draw gives the counter that is due, and takes note of the one that was drawn.
func (r *Replayer) draw(stream domain.StreamID, d *series.Drawn) (due uint64) {
	c := counter{stream, d.Year}
	due = r.counters[c] + 1
	if r.counters[c] == 0 && d.Counter > 0 {
		due = d.Counter // a series may begin anywhere
	}
	r.counters[c] = d.Counter
	return due
}

// Pending is how many rows wait in memory, and are not being written.
func (r *Replayer) Pending() int { return r.over.waiting() }

// Write begins to move the rows that wait to the file, with others of the caller's,
// all or none: after so many commits. It waits for the write before, and returns its
// error.
func (r *Replayer) Write(size uint64, more ...state.Row) error {
	forms, err := forms()
	if err != nil {
		return err
	}
	kept := keptReplay{forms, make([]keptCounter, 0, len(r.counters))}
	for c, n := range r.counters {
		kept.Counters = append(kept.Counters, keptCounter{c.series, c.year, n})
	}
	rest, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("ledger: replay: %w", err)
	}
	return r.over.move(size, append([]state.Row{{Key: []byte(replayKey), Value: rest}}, more...)...)
}

// Wait waits for the write that is under way. The file may be closed after that.
func (r *Replayer) Wait() error { return r.over.moved() }
