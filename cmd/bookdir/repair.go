package bookdir

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

var (
	// ErrSound means that nothing of a log is missing or damaged.
	ErrSound = errors.New("bookdir: nothing of the log is missing or damaged")
	// ErrNothingLeft means that there is not one page to make a log of.
	ErrNothingLeft = errors.New("bookdir: nothing of the log is left")
	// ErrRingOlder means that the folder's keys are of before the newest commits, as
	// where a folder was put back to an older copy.
	ErrRingOlder = errors.New("bookdir: the book's keys are older than its log")
	// ErrErasureLost means that keys were destroyed by an erasure that is lost.
	ErrErasureLost = errors.New("bookdir: what is lost holds an erasure, whose keys are destroyed")
)

// Repair makes the log of a book anew, in its folder, from the pages that survive
// there and those of its archive. It needs the book's ring: where that is gone too,
// Restore makes the book anew elsewhere.
type Repair struct {
	// From is the archive; nil where there is none.
	From       archive.Place
	Identities archive.Identities
	Root       keyring.Root
	// RingOptions are for tests.
	RingOptions []keyring.Option
	// Identity, AcceptLoss, Principal and Reason are as in Restore; they are needed
	// where something stays lost, or the remembered head is.
	Identity          string
	AcceptLoss        *uint64
	Principal, Reason string
	Clock             ledger.Clock
	Log               *slog.Logger
	// Progress may be nil.
	Progress func(pages, of uint64)

	// step is called at each named step of a repair: for tests, which end the process
	// there.
	step func(string)
}

// Repaired is what a repair did.
type Repaired struct {
	Restored
	// Mended is how many pages came from the archive.
	Mended uint64
	// Begun says that the log goes on in a new epoch.
	Begun bool
	// Kept is the folder with the log as it was.
	Kept string
}

// at marks a step.
func (r Repair) at(step string) {
	if r.step != nil {
		r.step(step)
	}
}

// Do repairs the book in a folder, which nobody may hold. The log as it was is kept.
// Where everything that was acknowledged is there again, the book goes on as it was;
// where something is lost, or where that cannot be known because the remembered head
// is gone, it goes on in a new epoch. After an error, or where the process ends on the
// way, the book is as it was, or, from the moment on when the repair was complete, the
// next repair brings it to its end, and needs nothing for that.
func (r Repair) Do(ctx context.Context, dir string) (done Repaired, err error) {
	if done, is, err := r.Finish(dir); is || err != nil {
		return done, err
	}
	info, err := ReadInfo(dir)
	if err != nil {
		return done, err
	}
	if info.ReadOnly {
		return done, domain.Refuse("read-only", "this copy of the book was restored to be read only, and is not repaired").
			WithHint("restore it again, in a new folder")
	}
	ring, err := keyring.Open(ringPath(dir), r.Root, r.RingOptions...)
	if err == nil { // the passphrase is the ring's
		err = ring.Close()
	}
	if err != nil {
		return done, err
	}
	release, err := lockStore(filepath.Join(dir, "store"))
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, release(err != nil)) }()
	if err := repaired(dir); err != nil { // just now, by another process
		return done, err
	}
	fresh := filepath.Join(dir, repairingName)
	if err := discard(fresh); err != nil { // of a repair that was cut short
		return done, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(fresh))
		}
	}()
	was, err := r.prepare(dir, fresh)
	if err != nil {
		return done, err
	}
	r.at("begun")
	if done, err = r.remake(ctx, dir, fresh, info); err != nil {
		return done, err
	}
	r.at("opened")
	if err := complete(dir, fresh, &done); err != nil {
		return done, err
	}
	r.at("complete")
	return done, keyring.Alone(ringPath(dir), func() error {
		now, err := os.ReadFile(ringPath(dir))
		if err == nil && !bytes.Equal(now, was) {
			err = fmt.Errorf("%w: its keys were changed just now", ErrBusy)
		}
		if err == nil {
			err = renamed(fresh, filepath.Join(dir, repairedName))
		}
		if err != nil {
			return err
		}
		r.at("committed")
		done, err = r.put(dir)
		return err
	})
}

// remake makes the book as it will be in the folder fresh, and opens it there.
func (r Repair) remake(ctx context.Context, dir, fresh string, info Info) (done Repaired, err error) {
	done.Info = info
	l := &link{dir: fresh, info: info, options: Options{Root: r.Root, RingOptions: r.RingOptions, Clock: r.Clock, Log: r.Log}}
	closed := false
	closeLink := func() error {
		if closed {
			return nil
		}
		closed = true
		return l.close(context.WithoutCancel(ctx))
	}
	defer func() { err = errors.Join(err, closeLink()) }()
	signer, err := l.unlock()
	if err != nil {
		return done, err
	}
	remembered, headErr := head.Read(filepath.Join(dir, "head"))
	if headErr != nil && !errors.Is(headErr, head.ErrMissing) && !errors.Is(headErr, head.ErrDamaged) {
		return done, headErr
	}
	scratch := filepath.Join(fresh, "read")
	m, err := r.mend(ctx, filepath.Join(dir, "store"), scratch, info, signer.Verifier())
	if err != nil {
		return done, err
	}
	defer m.close()
	used := usedKeys{subjects: map[keyring.KeyID]bool{}}
	if done.Head, err = r.lay(ctx, fresh, info, m, remembered, headErr == nil, &used); err != nil {
		return done, err
	}
	m.close()
	if err := os.RemoveAll(scratch); err != nil {
		return done, fmt.Errorf("bookdir: %w", err)
	}
	r.at("laid")
	done.Mended = m.mended
	whole := headErr == nil && done.Head.Page >= max(remembered.Page, m.last)
	unopened := ledger.Unopened(signer.Verifier(), done.Head.Size)
	if whole && m.mended == 0 && !m.framed && !unopened {
		return done, ErrSound
	}
	if done.Head.Size == 0 {
		return done, ErrNothingLeft
	}
	if err := used.held(l.keys, done.Head.Size); err != nil {
		return done, err
	}
	if done.Loss, err = r.loss(ctx, m, done.Head, remembered.Head); err != nil {
		return done, err
	}
	var open *book.OpenEpoch
	if done.Begun = done.Loss != nil || !whole; done.Begun || unopened {
		if open, err = r.begin(fresh, &done, l.keys, signer.Verifier()); err != nil {
			return done, err
		}
		remembered = head.Head{Epoch: done.Info.Epoch, Head: done.Head}
	}
	if !done.Begun { // else whoever has the former open takes this one for an older copy
		if err := l.keys.Rotate(); err != nil {
			return done, err
		}
	}
	if err := errors.Join(closeLink(), lay(fresh, done.Info, remembered)); err != nil {
		return done, err
	}
	r.at("made")
	done.Receipt, err = r.open(ctx, fresh, done.Info, open)
	return done, err
}

// lay makes the log anew, and notes which keys it uses.
func (r Repair) lay(ctx context.Context, fresh string, info Info, m *mended, remembered head.Head, known bool, used *usedKeys) (page.Head, error) {
	return newLog{
		book: info.Book, verifier: m.verifier, reader: m, beyond: func(page.Page) bool { return false }, laid: used.take, log: r.Log, progress: r.Progress,
		agrees: func(h page.Head) error {
			if known && (h.Page == remembered.Page && h != remembered.Head || h.Size == remembered.Size && h.Root != remembered.Root) {
				return fmt.Errorf("%w: page %d leads to another tree head than the remembered one", ledger.ErrContradiction, h.Page)
			}
			if m.archived != nil {
				return agrees(m.archived, h, nil)
			}
			return nil
		},
	}.lay(ctx, filepath.Join(fresh, "store"))
}

// usedKeys are the keys that a log uses.
type usedKeys struct {
	newest   keyring.KeyID
	subjects map[keyring.KeyID]bool
}

func (u *usedKeys) take(p page.Page) {
	for _, stored := range p.Commits {
		u.newest = max(u.newest, keysOf(stored))
		sealed, err := seal.Parse(stored)
		if err != nil {
			continue // opening the book tells
		}
		for _, s := range sealed.Header.Sections {
			if s.Kind == seal.Personal {
				u.subjects[s.Key] = true
			}
		}
	}
}

// held holds the ring against a log of a size: whatever is wrong with it would show
// only when all of the log was opened, and would not say why.
func (u *usedKeys) held(ring *keyring.Ring, size uint64) error {
	slots, err := ring.Len()
	if err != nil {
		return err
	}
	if slots < int(u.newest) {
		return fmt.Errorf("%w: there are %d, and the log uses key %d", ErrRingOlder, slots, u.newest)
	}
	for key := range u.subjects {
		note, gone, err := ring.Destroyed(key)
		if err != nil {
			return err
		}
		if at, is := commit.ErasureOf(note); gone && is && at.Position >= size {
			return fmt.Errorf("%w: at position %d, and the log uses key %d before it", ErrErasureLost, at.Position, key)
		}
	}
	return nil
}

// loss tells what is known to have been acknowledged and is not there.
func (r Repair) loss(ctx context.Context, m *mended, h, remembered page.Head) (*Loss, error) {
	newest := remembered
	if m.newest.Size > newest.Size {
		newest = m.newest
	}
	if m.archived != nil {
		latest, err := m.archived.Latest(ctx)
		if err != nil {
			return nil, err
		}
		if latest.Size > newest.Size {
			newest = latest
		}
	}
	return accepted(r.AcceptLoss, h, newest, false)
}

// begin prepares what opens the log's epoch: a new one, or the one that it is in.
func (r Repair) begin(fresh string, done *Repaired, ring *keyring.Ring, v *page.Verifier) (*book.OpenEpoch, error) {
	if done.Info.ReadOnly {
		return nil, refuseReadOnly()
	}
	reason := cmp.Or(r.Reason, "repaired")
	if !done.Begun {
		follows := checkpointOf(originAt(v, done.Head.Size-1), done.Head)
		return &book.OpenEpoch{Book: done.Info.Book, Origin: done.Info.Origin, Follows: follows, Reason: reason}, nil
	}
	list, signed, err := done.Info.KeyList()
	if err != nil {
		return nil, err
	}
	from := archivedLog{info: done.Info}
	from.info.list, from.info.signed = &list, signed
	return Restore{Identity: r.Identity, Reason: reason}.succeed(fresh, &done.Restored, ring, from)
}

// originAt is the name of the log at a position.
func originAt(v *page.Verifier, position uint64) (origin string) {
	for _, k := range v.Ranges() {
		if k.From <= position {
			origin = k.Origin
		}
	}
	return origin
}

// lay writes what a folder needs to be opened besides its log and ring.
func lay(fresh string, info Info, remembered head.Head) error {
	if info.signed != nil {
		if err := writeDurably(keysPath(fresh), info.signed, 0o644); err != nil {
			return err
		}
	}
	f, err := head.Create(filepath.Join(fresh, "head"), remembered)
	if err == nil {
		err = f.Close()
	}
	return errors.Join(err, writeInfo(fresh, info))
}

// open opens the book as it will be for the first time, which holds its ring against
// its log, and opens its epoch, of which it gives the receipt. Nobody is told of it: it
// is not in its place yet.
func (r Repair) open(ctx context.Context, fresh string, info Info, epoch *book.OpenEpoch) (receipt []byte, err error) {
	defer inBulkWork()()
	l, err := hold(ctx, fresh, info, Options{Root: r.Root, RingOptions: r.RingOptions, Clock: r.Clock, Log: r.Log, alone: true})
	switch {
	case errors.Is(err, commit.ErrNotErased):
		return nil, fmt.Errorf("%w: %w", ErrErasureLost, err)
	case errors.Is(err, seal.ErrSection), errors.Is(err, keyring.ErrUnknownKey):
		return nil, fmt.Errorf("%w: %w", ErrRingOlder, err)
	case err != nil:
		return nil, err
	}
	if epoch != nil {
		receipt, err = l.openEpoch(ctx, r.Principal, epoch)
	}
	return receipt, errors.Join(err, l.close(context.WithoutCancel(ctx)))
}
