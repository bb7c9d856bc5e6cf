package viewtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/testing/given"
)

// Log is the pages of a book that is kept in memory, as a source would verify
// and open them.
type Log struct {
	Book *given.Book

	mu        sync.Mutex
	grown     chan struct{} // closed and replaced when pages come
	pages     []projections.Page
	taken     int // of the book's own log
	revisions map[domain.StreamID]uint64
}

// NewLog is the log of a book, with what the book has taken in pages of size
// commits.
func NewLog(b *given.Book, size int) *Log {
	l := &Log{Book: b, grown: make(chan struct{}), revisions: map[domain.StreamID]uint64{}}
	l.Flush(size)
	return l
}

// Flush puts what the book has taken since into pages of size commits.
func (l *Log) Flush(size int) {
	for size > 0 && l.taken < len(l.Book.Log) {
		l.AddPage(l.Book.Log[l.taken:min(l.taken+size, len(l.Book.Log))]...)
		l.taken = min(l.taken+size, len(l.Book.Log))
	}
}

// AddPage adds a page of commits, a barrier where there are none.
func (l *Log) AddPage(commits ...given.Commit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.end()
	page := projections.Page{Cursor: projections.Cursor{Epoch: 1, Page: at.Page + 1, Size: at.Size, Root: at.Root}}
	for _, taken := range commits {
		c := commit.Commit{
			Book: taken.Moment.Book, Epoch: 1, Position: page.Cursor.Size, Page: page.Cursor.Page,
			ID: given.ID(fmt.Sprintf("command %d", page.Cursor.Size)), Principal: taken.Moment.Principal,
			Recorded: taken.Moment.Recorded, Rules: rules.Version, Command: taken.Command,
		}
		for _, change := range taken.Changes {
			l.revisions[change.Stream]++
			if personal, is := change.Event.(domain.Personal); is {
				if c.Sections == nil {
					c.Sections = map[uuid.UUID][32]byte{}
				}
				c.Sections[personal.Subject()] = sha256.Sum256(fmt.Appendf(nil, "section of %s in %d", personal.Subject(), c.Position))
			}
			facts, part, schema, err := codec.EncodeEvent(change.Event)
			if err != nil {
				panic(err) // it was decided
			}
			c.Events = append(c.Events, commit.Event{
				Stream: change.Stream, Revision: l.revisions[change.Stream], Event: change.Event,
				Stored: commit.Stored{Schema: schema, Facts: facts, Personal: part},
			})
		}
		page.Commits = append(page.Commits, c)
		page.Cursor.Root = sha256.Sum256(binary.BigEndian.AppendUint64(page.Cursor.Root[:], page.Cursor.Size))
		page.Cursor.Size++
	}
	page.Cursor.Edge = fmt.Sprint("edge ", page.Cursor.Size)
	l.pages = append(l.pages, page)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *Log) end() projections.Cursor {
	if len(l.pages) == 0 {
		return projections.Cursor{}
	}
	return l.pages[len(l.pages)-1].Cursor
}

// End is the place after the last page.
func (l *Log) End() projections.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end()
}

// Pages gives the pages after a cursor, or projections.ErrRebuild where the log
// does not extend it, and what is closed when there are more.
func (l *Log) Pages(after projections.Cursor) ([]projections.Page, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after.Page > uint64(len(l.pages)) || after.Page > 0 && l.pages[after.Page-1].Cursor != after {
		return nil, nil, fmt.Errorf("viewtest: page %d: %w", after.Page, projections.ErrRebuild)
	}
	return l.pages[after.Page:len(l.pages):len(l.pages)], l.grown, nil
}

// all gives all pages.
func (l *Log) all(t tester) []projections.Page {
	t.Helper()
	pages, _, err := l.Pages(projections.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// Source reads the log to its end.
func (l *Log) Source() projections.Source { return l.source(false) }

// Tail reads the log and waits for more.
func (l *Log) Tail() projections.Source { return l.source(true) }

func (l *Log) source(wait bool) projections.Source {
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
		return func(yield func(projections.Page, error) bool) {
			for {
				pages, grown, err := l.Pages(after)
				if err != nil {
					yield(projections.Page{}, err)
					return
				}
				for _, p := range pages {
					if !yield(p, nil) {
						return
					}
					after = p.Cursor
				}
				if !wait {
					return
				}
				select {
				case <-grown:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// bookOf is an open book with some customers, lenient so that it is quick.
func bookOf(t *testing.T, customers ...string) *given.Book {
	t.Helper()
	b := given.New()
	b.Strict = false
	b.Take(t, given.Open(b.ID))
	for _, name := range customers {
		b.Take(t, given.Register(name))
	}
	return b
}

// stream names a document of a test.
func stream(kind domain.Kind, name string) domain.StreamID {
	return domain.StreamID{Kind: kind, ID: given.ID(name)}
}
