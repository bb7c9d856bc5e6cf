package bookdir

import (
	"errors"
	"fmt"
	"slices"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// headerCheck checks the headers of commits, which are in clear.
type headerCheck struct {
	info      Info
	epoch     func(position uint64) uint64
	events    uint64
	recorded  int64
	revisions revisions
}

// prepare checks a header by itself.
func (h *headerCheck) prepare(position uint64, stored []byte) *prepared {
	sealed, err := seal.Parse(stored)
	switch {
	case errors.Is(err, seal.ErrNewer):
		return &prepared{err: &transparency.Failure{Code: CodeCommitNewer, What: err.Error()}}
	case err != nil:
		return &prepared{err: &transparency.Failure{Code: CodeCommitForm, What: err.Error()}}
	}
	header := sealed.Header
	if header.Book != h.info.Book || header.Epoch != h.epoch(position) || header.Position != position {
		return &prepared{err: &transparency.Failure{Code: CodeCommitPlace, What: fmt.Sprintf("the commit says it is position %d of book %s, log epoch %d",
			header.Position, header.Book, header.Epoch)}}
	}
	if position > 0 && header.Epoch != h.epoch(position-1) && !opensEpoch(header) {
		return &prepared{err: &transparency.Failure{Code: CodeCommitPlace, What: fmt.Sprintf("the first commit of log epoch %d does not say which log it goes on from", header.Epoch)}}
	}
	p := &prepared{position: position, recorded: header.Recorded}
	p.events = p.few[:0]
	for _, e := range header.Events {
		p.events = append(p.events, revision{streamDigest(e.Stream), e.Revision})
	}
	return p
}

// opensEpoch reports whether a commit begins an epoch of the log.
func opensEpoch(header seal.Header) bool {
	return slices.ContainsFunc(header.Events, func(e seal.Event) bool { return e.Type == (*book.EpochOpened)(nil).EventType() })
}

// forget begins at the beginning after all.
func (h *headerCheck) forget() {
	h.revisions.close()
	h.revisions, h.events, h.recorded = revisions{}, 0, 0
}

// check checks a header after those before it.
func (h *headerCheck) check(p *prepared, leaf transparency.Leaf) error {
	h.events += uint64(len(p.events))
	for _, e := range p.events {
		if err := h.revisions.add(e, leaf.Position, leaf.Page); err != nil {
			return err
		}
	}
	if p.recorded < h.recorded {
		return &transparency.Failure{Code: CodeCommitTime, What: "the commit was recorded before the one that stands before it"}
	}
	h.recorded = p.recorded
	return nil
}
