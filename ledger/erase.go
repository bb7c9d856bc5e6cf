package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// An erasure is entered like any command. Once it is durable and remembered its
// keys are destroyed in the ring, and the state file is made anew, under a new
// key, from the log as it can be read now (renew.go); only then is it answered.
// A process that dies on the way leaves the rest to the next start, which comes to
// the same point for every erasure that the log holds.

// erasing is a durable erasure whose keys are destroyed, or are about to be.
type erasing struct {
	request *request
	answer  answer // once the states do not know of it any more
}

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

// erase destroys what durable commits erase, and has the states made anew.
func (w *Writer) erase(erases []*entry) error {
	if len(erases) == 0 {
		return nil
	}
	for _, e := range erases {
		for _, u := range e.updates {
			row, is := u.value.(erasureRow)
			if !is {
				continue
			}
			w.erased++
			if _, err := w.destroy(row); err != nil {
				return err
			}
		}
	}
	w.at("destroyed")
	return w.renew()
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
	if err == nil {
		rows, err = w.beyond(rows)
	}
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
	return w.renewNow(ctx)
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

// beyond adds the erasures that the log says where this copy does not reach, the last
// of each customer, which covers those before. The mutex is held.
func (w *Writer) beyond(rows []erasureRow) ([]erasureRow, error) {
	last := make(map[uuid.UUID]commit.Beyond, len(w.Beyond))
	for _, e := range w.Beyond {
		last[e.Customer] = e
	}
	for _, e := range last {
		known, err := w.over.durable(subjectKey(e.Customer))
		if err != nil {
			return nil, err
		}
		if known == nil {
			continue // the customer was registered there as well
		}
		keys, _ := known.(subjectRow).destroyed(e.Event.Scope)
		rows = append(rows, erasureRow{Customer: e.Customer, Keys: keys, Page: e.Page, Position: e.Position})
	}
	return rows, nil
}
