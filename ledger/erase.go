package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// An erasure is entered like any command. Once it is durable and remembered its
// keys are destroyed in the ring, and the state file is made anew, under a new
// key, from the log as it can be read now; only then is it answered. A process
// that dies on the way leaves the rest to the next start, which comes to the
// same point for every erasure that the log holds.

// erases reports whether a commit erases anything.
func (e *entry) erases() bool {
	return slices.ContainsFunc(e.commit.Events, func(e commit.Event) bool {
		_, is := e.Event.(*customer.KeyDestroyed)
		return is
	})
}

// placed says in the erasures among a commit's rows which page holds it.
func placed(updates []update, number uint64) []update {
	for i, u := range updates {
		if row, is := u.value.(erasureRow); is {
			row.Page = number
			updates[i].value = row
		}
	}
	return updates
}

// erase destroys what durable commits erase. The writer is stalled.
func (w *Writer) erase(erasing []*entry) error {
	w.erased += len(erasing)
	for _, e := range erasing {
		for _, u := range e.updates {
			row, is := u.value.(erasureRow)
			if !is {
				continue
			}
			if _, err := w.destroy(row); err != nil {
				return err
			}
		}
	}
	w.at("destroyed")
	return w.renew(w.unsettled)
}

// destroy destroys the keys of an erasure that the log holds, those that are not
// yet, and gives the number of the ring's slots when the last of them was.
func (w *Writer) destroy(row erasureRow) (slots uint32, err error) {
	w.Keys.Forget(row.Keys...) // another process may have destroyed them
	var live []keyring.KeyID
	for _, key := range row.Keys {
		note, gone, err := w.Keys.Destroyed(key)
		if err != nil {
			return 0, fmt.Errorf("ledger: erase customer %s: %w", row.Customer, err)
		}
		at, is := commit.ErasureOf(note)
		if !gone || !is || at.Page != row.Page || at.Position != row.Position {
			live = append(live, key)
			continue
		}
		slots = max(slots, at.Slots)
	}
	if len(live) == 0 {
		return slots, nil
	}
	count, err := w.Keys.Len()
	if err != nil {
		return 0, fmt.Errorf("ledger: erase customer %s: %w", row.Customer, err)
	}
	at := commit.Erasure{Page: row.Page, Position: row.Position, Slots: uint32(count)}
	if err := w.Keys.DestroyFor(at.Note(), live...); err != nil {
		return 0, fmt.Errorf("ledger: erase customer %s: %w", row.Customer, err)
	}
	return at.Slots, nil
}

// finishErasures brings every erasure that was read from the log to its end: of
// another writer, of a process that died, or any after a ring was brought back
// from a copy. Nothing may be pending.
func (w *Writer) finishErasures(ctx context.Context) error {
	w.mu.Lock()
	rows, err := w.erasures()
	w.mu.Unlock()
	if err != nil || len(rows) == w.erased {
		return err
	}
	w.erased = len(rows)
	var newest uint32
	for _, row := range rows {
		slots, err := w.destroy(row)
		if err != nil {
			return err
		}
		newest = max(newest, slots)
	}
	if uint32(w.StateKey) > newest {
		return nil // the state file was begun after all that
	}
	return w.renew(ctx)
}

// erasures gives all erasures that the log holds. The mutex is held.
func (w *Writer) erasures() ([]erasureRow, error) {
	count, err := w.over.erasures()
	if err != nil {
		return nil, err
	}
	rows := make([]erasureRow, count)
	for n := range rows {
		row, err := w.over.durable(erasureKey(erasuresRow(n)))
		if err != nil {
			return nil, err
		}
		if row == nil {
			return nil, fmt.Errorf("%w: erasure %d of %d is missing", ErrContradiction, n, count)
		}
		rows[n] = row.(erasureRow)
	}
	return rows, nil
}

// renew makes the state file anew, under a new key: with the old one goes what
// it held of whom the log does not know any more. Meanwhile the writer is
// stalled; what was decided and is not durable is decided again.
func (w *Writer) renew(ctx context.Context) error {
	w.mu.Lock()
	w.stalled = true
	w.drop()
	file, key, err := w.Renew()
	if err == nil {
		w.State, w.StateKey, w.writes, w.condemned = file, key, nil, false
		w.over = newOverlay(file, w.CacheRows)
	}
	w.changed.Broadcast()
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("ledger: make the state file anew: %w", err)
	}
	w.at("renewing")
	if err := w.refold(ctx); err != nil {
		return err
	}
	w.at("renewed")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled = false
	w.changed.Broadcast()
	return nil
}

// refold folds the log to w.head into the empty state file.
func (w *Writer) refold(ctx context.Context) error {
	chain, err := page.NewChain(w.Signer.Verifier(), page.EmptyHead(), page.Edge{})
	if err != nil {
		return err
	}
	var recorded time.Time
	for p, err := range commit.Replay(ctx, w.Store, chain, w.Codec, w.head.Page) {
		if err != nil {
			return err
		}
		for _, c := range p.Commits {
			recorded = c.Recorded
		}
		w.mu.Lock()
		writes, err := w.foldCommits(ctx, p)
		if err == nil {
			w.writes = append(w.writes, append(writes, write{cursor: w.cursorAt(p.Head, recorded)})...)
			w.changed.Broadcast()
		}
		w.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errStopped
	}
	if chain.Head() != w.head {
		return fmt.Errorf("%w: its pages to %d lead to another tree head", ErrContradiction, w.head.Page)
	}
	return nil
}
