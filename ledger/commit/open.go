package commit

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
)

// Open opens a stored commit. Personal parts whose key the log says was destroyed
// are nil; any other key that is missing, and anything that is not as Seal makes
// it, is an error.
func (c *Codec) Open(stored []byte) (Commit, error) {
	sealed, err := seal.Parse(stored)
	if err != nil {
		return Commit{}, err
	}
	h := sealed.Header
	if h.Book != c.book || h.Epoch != c.epoch(h.Position) {
		return Commit{}, fmt.Errorf("%w: it names book %s, epoch %d", ErrForm, h.Book, h.Epoch)
	}
	held, err := c.contents(sealed)
	if err != nil {
		return Commit{}, fmt.Errorf("commit: position %d: %w", h.Position, err)
	}
	commit := Commit{
		Book: h.Book, Epoch: h.Epoch, Position: h.Position, ID: h.Command, Principal: h.Principal,
		Recorded: time.UnixMicro(h.Recorded).UTC(), Correlation: h.Correlation, Causation: h.Causation,
		Rules: held.facts.Rules, Digest: held.facts.Digest, Events: make([]Event, len(h.Events)),
		Subjects: held.subjects, Sections: held.sections, Facts: h.Sections[0].Key, Entry: page.EntryHash(stored),
	}
	commit.Command, err = codec.DecodeCommand(held.facts.Kind, held.facts.Schema, held.facts.Command, held.command.bytes)
	if err == nil {
		err = held.command.belongs(commit.Command)
	}
	if err != nil {
		return Commit{}, fmt.Errorf("commit: position %d: %w", h.Position, err)
	}
	for i, e := range h.Events {
		if commit.Events[i], err = held.event(i, e); err != nil {
			return Commit{}, fmt.Errorf("commit: position %d, event %d: %w", h.Position, i, err)
		}
	}
	return commit, nil
}

// contents is what the sections of a commit hold.
type contents struct {
	facts    factsSection
	command  part
	events   map[int]part // by index; none where there is no personal part
	subjects map[uuid.UUID]keyring.KeyID
	sections map[uuid.UUID][32]byte // digests, by subject
}

// part is the personal part of a command or an event, and the subject of the
// section that holds it.
type part struct {
	subject uuid.UUID
	bytes   []byte // nil where there is none, or its key was destroyed
}

// belongs refuses a part that stands in the section of another subject than that
// of the command or event that it is a part of.
func (p part) belongs(whole any) error {
	if p.bytes != nil && whole.(domain.Personal).Subject() != p.subject {
		return fmt.Errorf("%w: a personal part under another's key", ErrForm)
	}
	return nil
}

// contents opens the sections: the facts first, then one for each subject.
func (c *Codec) contents(sealed seal.Sealed) (*contents, error) {
	h := sealed.Header
	held := &contents{events: make(map[int]part), subjects: make(map[uuid.UUID]keyring.KeyID), sections: make(map[uuid.UUID][32]byte)}
	if len(h.Sections) == 0 {
		return nil, fmt.Errorf("%w: no facts", ErrForm)
	}
	for i, info := range h.Sections {
		if (info.Kind == seal.Facts) != (i == 0) {
			return nil, fmt.Errorf("%w: facts come first, and once", ErrForm)
		}
		plain, err := c.section(sealed, i)
		switch {
		case err != nil:
		case i == 0:
			err = exactly(plain, &held.facts)
		default:
			held.sections[info.Subject] = sealed.Digest(i)
			err = held.personal(info, plain, len(h.Events))
		}
		if err != nil {
			return nil, fmt.Errorf("section %d: %w", i, err)
		}
	}
	if len(h.Events) == 0 || len(held.facts.Events) != len(h.Events) {
		return nil, fmt.Errorf("%w: its facts do not fit its header", ErrForm)
	}
	return held, nil
}

// section opens a section, and gives nil for one that was erased.
func (c *Codec) section(sealed seal.Sealed, i int) ([]byte, error) {
	info := sealed.Header.Sections[i]
	key, err := c.keys.Key(info.Key)
	if info.Kind == seal.Personal && errors.Is(err, keyring.ErrDestroyed) {
		return nil, c.erased(info)
	}
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return sealed.Open(i, key)
}

// exactly decodes a section, and takes no bytes but those that encoding gives.
func exactly(plain []byte, into any) error {
	if err := decoding.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	again, err := encoding.Marshal(into)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	if !bytes.Equal(again, plain) {
		return fmt.Errorf("%w: it is not in canonical form", ErrForm)
	}
	return nil
}

// personal takes a subject's section, nil if its key was destroyed, of a commit
// of that many events.
func (held *contents) personal(info seal.SectionInfo, plain []byte, events int) error {
	if _, twice := held.subjects[info.Subject]; twice {
		return fmt.Errorf("%w: a subject twice", ErrForm)
	}
	held.subjects[info.Subject] = info.Key
	if plain == nil {
		return nil
	}
	var p personalSection
	if err := exactly(plain, &p); err != nil {
		return err
	}
	if p.Events == nil || p.Command == nil && len(p.Events) == 0 {
		return fmt.Errorf("%w: nothing personal", ErrForm)
	}
	if p.Command != nil {
		if held.command.bytes != nil {
			return fmt.Errorf("%w: the command's personal part twice", ErrForm)
		}
		held.command = part{info.Subject, p.Command}
	}
	least := 0
	for _, e := range p.Events {
		if _, twice := held.events[e.Index]; twice || e.Part == nil || e.Index < least || e.Index >= events {
			return fmt.Errorf("%w: the personal part of event %d of %d", ErrForm, e.Index, events)
		}
		held.events[e.Index] = part{info.Subject, e.Part}
		least = e.Index + 1
	}
	return nil
}

// event puts an event together.
func (held *contents) event(i int, e seal.Event) (Event, error) {
	personal := held.events[i]
	event, err := codec.DecodeEvent(e.Type, uint(e.Schema), held.facts.Events[i], personal.bytes)
	if err == nil {
		err = personal.belongs(event)
	}
	if err != nil {
		return Event{}, err
	}
	stream, err := domain.ParseStreamID(e.Stream.Kind + "-" + e.Stream.ID.String())
	return Event{
		Stream: stream, Revision: e.Revision, Event: event, Stored: Stored{uint(e.Schema), held.facts.Events[i], personal.bytes},
	}, err
}

// OpenPage opens the commits of a page that a page.Chain has accepted, on all
// cores.
func (c *Codec) OpenPage(p page.Page) ([]Commit, error) {
	commits := make([]Commit, len(p.Commits))
	errs := make([]error, len(p.Commits))
	open := func(i int) {
		commits[i], errs[i] = c.Open(p.Commits[i])
		commits[i].Page = p.Head.Page
		if errs[i] == nil && commits[i].Position != p.OldSize+uint64(i) {
			errs[i] = fmt.Errorf("%w: it says position %d, and stands at %d", ErrForm, commits[i].Position, p.OldSize+uint64(i))
		}
	}
	if workers := min(runtime.GOMAXPROCS(0), len(p.Commits)/4); workers > 1 {
		var group sync.WaitGroup
		for first := range workers {
			group.Go(func() {
				for i := first; i < len(p.Commits); i += workers {
					open(i)
				}
			})
		}
		group.Wait()
	} else {
		for i := range p.Commits {
			open(i)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("page %d: %w", p.Head.Page, err)
	}
	return commits, nil
}
