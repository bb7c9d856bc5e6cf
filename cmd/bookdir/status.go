package bookdir

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// Status is how far a log has come, as its newest page says. Verify proves it.
type Status struct {
	// OK holds when the log reaches the remembered head and has its root there.
	OK bool
	// Pages, Size and Root are the newest page's head; Events is how many events
	// the commits hold.
	Pages, Size, Events uint64
	Root                tlog.Hash
	// Failures say why it is not OK.
	Failures []transparency.Failure
}

// counted is how many events there are up to a page: a convenience, in clear,
// that spares Status to read the whole log each time. It counts only while the
// log has this head at this page; Verify does not use it.
type counted struct {
	Page   uint64    `json:"page"`
	Size   uint64    `json:"size"`
	Root   tlog.Hash `json:"root"`
	Edge   []byte    `json:"edge"`
	Events uint64    `json:"events"`
}

func (c counted) head() page.Head { return page.Head{Page: c.Page, Size: c.Size, Root: c.Root} }

// Status tells how far the log has come. It reads what was added since the last
// time, verifies that much, and looks at the remembered head.
func (l *Log) Status(ctx context.Context, progress func(pages, of uint64)) (Status, error) {
	remembered, missing, err := l.remembered()
	if err != nil {
		return Status{}, err
	}
	newest, err := l.Last(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Pages: newest.Page, Size: newest.Size, Root: newest.Root}
	switch {
	case missing != nil:
		s.Failures = append(s.Failures, *missing)
	case newest.Page < remembered.Page:
		s.Failures = append(s.Failures, transparency.Failure{Code: CodeShort, What: fmt.Sprintf(
			"the log ends at page %d with size %d, before the remembered head (page %d, size %d): what was acknowledged after is lost",
			newest.Page, newest.Size, remembered.Page, remembered.Size)})
	case remembered.Page > 0:
		at, err := l.Head(ctx, remembered.Page)
		if err != nil {
			return s, err
		}
		if at != *remembered {
			s.Failures = append(s.Failures, transparency.Failure{
				Page: at.Page, Position: at.Size, Code: transparency.CodeContradiction,
				What: "the log has another tree head than was remembered: it is not the log that receipts were given for",
			})
		}
	}
	s.OK = len(s.Failures) == 0
	s.Events, err = l.count(ctx, newest, progress)
	return s, err
}

// count counts the events up to a head.
func (l *Log) count(ctx context.Context, newest page.Head, progress func(pages, of uint64)) (uint64, error) {
	from, chain, err := l.resume(ctx)
	if err != nil {
		return 0, err
	}
	events := from.Events
	for stored, err := range l.Store.Read(ctx, from.Page+1, newest.Page) {
		if err != nil {
			return 0, err
		}
		opened, err := chain.Next(stored)
		if err != nil {
			return 0, err
		}
		for _, c := range opened.Commits {
			sealed, err := seal.Parse(c)
			if err != nil {
				return 0, fmt.Errorf("bookdir: page %d: %w", stored.Number, err)
			}
			events += uint64(len(sealed.Header.Events))
		}
		if progress != nil {
			progress(stored.Number, newest.Page)
		}
	}
	if chain.Head() != from.head() {
		l.keep(chain, events)
	}
	return events, nil
}

func (l *Log) countedPath() string { return filepath.Join(l.link.dir, "counted") }

// resume gives what was counted before, or nothing where it does not fit the log.
func (l *Log) resume(ctx context.Context) (counted, *page.Chain, error) {
	var c counted
	var edge page.Edge
	data, err := os.ReadFile(l.countedPath())
	if err == nil && json.Unmarshal(data, &c) == nil && c.Page > 0 && edge.UnmarshalBinary(c.Edge) == nil {
		if at, err := l.Head(ctx, c.Page); err == nil && at == c.head() {
			if chain, err := page.NewChain(l.Verifier, at, edge); err == nil {
				return c, chain, nil
			}
		}
	}
	chain, err := page.NewChain(l.Verifier, page.EmptyHead(), page.Edge{})
	return counted{Root: page.EmptyRoot}, chain, err
}

// keep remembers what was counted. Where it cannot, the next Status reads more.
func (l *Log) keep(chain *page.Chain, events uint64) {
	edge, err := chain.Edge().MarshalBinary()
	if err != nil {
		return
	}
	h := chain.Head()
	data, err := json.Marshal(counted{Page: h.Page, Size: h.Size, Root: h.Root, Edge: edge, Events: events})
	if err != nil {
		return
	}
	_ = writeDurably(l.countedPath(), append(data, '\n'), 0o600)
}
