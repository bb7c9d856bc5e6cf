package bookdir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
)

// ErrSound means that nothing of a log is missing or damaged.
var ErrSound = errors.New("bookdir: nothing of the log is missing or damaged")

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
}

// Repaired is what a repair did.
type Repaired struct {
	Restored
	// Mended is how many pages came from the archive.
	Mended uint64
	// Kept is the folder with the log as it was.
	Kept string
}

// Do repairs the book in a folder, which nobody may hold. The log as it was is kept.
// Where everything that was acknowledged is there again, the book goes on as it was;
// where something is lost, or where that cannot be known because the remembered head
// is gone, it goes on in a new epoch. After an error the book is as it was.
func (r Repair) Do(ctx context.Context, dir string) (done Repaired, err error) {
	info, err := ReadInfo(dir)
	if err != nil {
		return done, err
	}
	l := &link{dir: dir, info: info, options: Options{Root: r.Root, RingOptions: r.RingOptions, Clock: r.Clock, Log: r.Log}}
	defer func() { err = errors.Join(err, l.close(context.WithoutCancel(ctx))) }()
	signer, err := l.unlock()
	if err != nil {
		return done, err
	}
	done.Info = info
	fresh := filepath.Join(dir, "store.new")
	if err := takeBack(dir, fresh); err != nil {
		return done, err
	}
	if err := os.RemoveAll(fresh); err != nil { // of a repair that was cut short
		return done, fmt.Errorf("bookdir: %w", err)
	}
	if done.Kept, err = keepStore(dir); err != nil {
		return done, err
	}
	m, err := r.mend(ctx, dir, info, signer.Verifier())
	if err != nil {
		return done, errors.Join(err, os.RemoveAll(done.Kept))
	}
	defer m.close()
	remembered, headErr := head.Read(filepath.Join(dir, "head"))
	if headErr != nil && !errors.Is(headErr, head.ErrMissing) && !errors.Is(headErr, head.ErrDamaged) {
		return done, headErr
	}
	done.Head, err = newLog{
		book: info.Book, verifier: signer.Verifier(), reader: m, beyond: func(page.Page) bool { return false }, log: r.Log, progress: r.Progress,
		agrees: func(h page.Head) error {
			if headErr == nil && h.Page == remembered.Page && h != remembered.Head {
				return fmt.Errorf("%w: page %d leads to another tree head than the remembered one", ledger.ErrContradiction, h.Page)
			}
			if m.archived != nil {
				return agrees(m.archived, h, nil)
			}
			return nil
		},
	}.lay(ctx, fresh)
	m.close()
	if err != nil {
		return done, errors.Join(err, os.RemoveAll(fresh), os.RemoveAll(done.Kept))
	}
	done.Mended = m.mended
	if headErr == nil && m.mended == 0 && done.Head.Page >= max(remembered.Page, m.survived) {
		return done, errors.Join(ErrSound, os.RemoveAll(fresh), os.RemoveAll(done.Kept))
	}
	if done.Loss, err = r.loss(ctx, m, done.Head, remembered.Head); err != nil {
		return done, errors.Join(err, os.RemoveAll(fresh), os.RemoveAll(done.Kept))
	}
	if err := exchange(dir, fresh, done.Kept); err != nil {
		return done, err
	}
	if done.Loss == nil && headErr == nil {
		return done, r.check(ctx, dir, info, nil)
	}
	return done, r.goOn(ctx, dir, &done, l, remembered, headErr)
}

// keepStore copies the log as it is to a new folder. A log that is not there at all
// leaves an empty one.
func keepStore(dir string) (string, error) {
	for number := 1; ; number++ {
		kept := filepath.Join(dir, "damaged", strconv.Itoa(number))
		if _, err := os.Lstat(kept); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("bookdir: %w", err)
		}
		return kept, jetstream.PreserveAll(filepath.Join(dir, "store"), filepath.Join(kept, "store"))
	}
}

// exchange puts a new log in the place of the damaged one, which goes to what is kept.
func exchange(dir, fresh, kept string) error {
	store := filepath.Join(dir, "store")
	if err := os.Rename(store, filepath.Join(kept, "opened")); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	if err := os.Rename(fresh, store); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return errors.Join(syncDir(kept), syncDir(dir))
}

// takeBack puts the damaged log back, where a repair was cut short while it exchanged
// the two: there may be pages in it that the archive lacks.
func takeBack(dir, fresh string) error {
	store := filepath.Join(dir, "store")
	for _, path := range []struct {
		name  string
		there bool
	}{{store, false}, {fresh, true}} {
		if _, err := os.Lstat(path.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bookdir: %w", err)
		} else if (err == nil) != path.there {
			return nil
		}
	}
	newest := ""
	for number := 1; ; number++ {
		kept := filepath.Join(dir, "damaged", strconv.Itoa(number))
		if _, err := os.Lstat(kept); err != nil {
			break
		}
		newest = filepath.Join(kept, "opened")
	}
	if err := os.Rename(newest, store); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bookdir: %w", err)
	}
	return syncDir(dir)
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

// goOn begins a new epoch of the log, in the folder.
func (r Repair) goOn(ctx context.Context, dir string, done *Repaired, l *link, remembered head.Head, headErr error) error {
	list, signed, err := done.Info.KeyList()
	if err != nil {
		return err
	}
	from := archivedLog{info: done.Info}
	from.info.list, from.info.signed = &list, signed
	restore := Restore{Identity: r.Identity, Principal: r.Principal, Reason: cmp.Or(r.Reason, "repaired"), Root: r.Root, RingOptions: r.RingOptions, Clock: r.Clock, Log: r.Log}
	epoch, err := restore.succeed(dir, &done.Restored, l.keys, from)
	if err != nil {
		return err
	}
	next := head.Head{Epoch: done.Info.Epoch, Head: done.Head}
	path := filepath.Join(dir, "head")
	if headErr == nil {
		err = remember(path, next)
	} else {
		err = makeHead(path, next)
	}
	if err != nil {
		return err
	}
	// From here on the files belong to the new epoch; what was made from the old log
	// is made anew.
	if err := writeInfo(dir, done.Info); err != nil {
		return err
	}
	return r.check(ctx, dir, done.Info, epoch)
}

// remember writes a head into a file that is there.
func remember(path string, h head.Head) error {
	f, err := head.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Remember(h), f.Close())
}

// makeHead puts a head in the place of a file that is missing or damaged.
func makeHead(path string, h head.Head) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bookdir: %w", err)
	}
	f, err := head.Create(path, h)
	if err != nil {
		return err
	}
	return f.Close()
}

// check opens the book once, which checks it, and begins its epoch if there is one.
func (r Repair) check(ctx context.Context, dir string, info Info, epoch *book.OpenEpoch) error {
	restore := Restore{Root: r.Root, RingOptions: r.RingOptions, Principal: r.Principal, Clock: r.Clock, Log: r.Log}
	return restore.open(ctx, dir, &info, epoch, nil)
}

// mended reads a log from a store that lost pages, and from an archive what it lacks.
// It ends where neither has the next page.
type mended struct {
	verifier *page.Verifier
	// store is what survived, nil where nothing did; survived is the number of its
	// last page, and newest what that signs.
	store    *jetstream.Store
	server   *jetstream.Embedded
	survived uint64
	newest   page.Head
	archived *archive.Reader
	// mended counts pages of the archive, and belongs to the reading.
	mended uint64
}

// mend opens what there is of a log.
func (r Repair) mend(ctx context.Context, dir string, info Info, v *page.Verifier) (*mended, error) {
	m := &mended{verifier: v}
	if r.From != nil {
		found, err := openArchive(ctx, r.From, info.Origin, info.list)
		if err != nil {
			return nil, err
		}
		if m.archived, err = found.open(ctx, r.Identities, v); err != nil {
			return nil, err
		}
	}
	server, err := jetstream.Start(jetstream.Config{Dir: filepath.Join(dir, "store"), Book: info.Book, Log: r.Log})
	if errors.Is(err, jetstream.ErrHeld) {
		return nil, err
	}
	if err == nil {
		m.server = server
		m.store, err = jetstream.Open(ctx, server, info.Book)
	}
	if err == nil {
		m.survived, err = m.store.Last(ctx)
	}
	if err != nil {
		r.Log.Warn("nothing of the log can be read where it is; it comes from the archive alone", "error", err)
		return m, nil
	}
	for number := m.survived; number > 0; number-- {
		if p, good := m.surviving(ctx, number); good {
			m.survived, m.newest = number, p.Head
			break
		}
	}
	return m, nil
}

func (m *mended) close() {
	if m.server == nil {
		return
	}
	if m.store != nil {
		_ = m.store.Close()
	}
	_ = m.server.Shutdown() // it may have found its files damaged, which they are
	m.server = nil
}

// surviving reads one page of the store, if it is there and signed as it should be.
func (m *mended) surviving(ctx context.Context, number uint64) (page.Page, bool) {
	for stored, err := range m.store.Read(ctx, number, number) {
		if err != nil {
			return page.Page{}, false
		}
		p, err := m.verifier.Open(stored.Body)
		return p, err == nil && p.Page == number
	}
	return page.Page{}, false
}

// Last implements eventstore.Reader: the last page that either has.
func (m *mended) Last(ctx context.Context) (uint64, error) {
	if m.archived == nil {
		return m.survived, nil
	}
	last, err := m.archived.Last(ctx)
	return max(last, m.survived), err
}

// Read implements eventstore.Reader.
func (m *mended) Read(ctx context.Context, first, last uint64) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) {
		for next := first; next <= last; {
			var again bool
			if next, again = m.fromStore(ctx, next, min(last, m.survived), yield); !again {
				return
			}
			was := next
			if next, again = m.fromArchive(ctx, next, last, yield); !again {
				return
			}
			if next == was { // neither has it
				return
			}
		}
	}
}

// fromStore yields pages as long as the store has good ones.
func (m *mended) fromStore(ctx context.Context, next, last uint64, yield func(eventstore.Page, error) bool) (uint64, bool) {
	if m.store == nil {
		return next, true
	}
	for stored, err := range m.store.Read(ctx, next, last) {
		if err != nil {
			break
		}
		if p, err := m.verifier.Open(stored.Body); err != nil || p.Page != next {
			break
		}
		if !yield(stored, nil) {
			return next, false
		}
		next++
	}
	return next, true
}

// fromArchive yields pages of the archive until the store has the next one again.
func (m *mended) fromArchive(ctx context.Context, next, last uint64, yield func(eventstore.Page, error) bool) (uint64, bool) {
	if m.archived == nil {
		return next, true
	}
	for stored, err := range m.archived.Read(ctx, next, last) {
		if errors.Is(err, eventstore.ErrGap) {
			break
		}
		if !yield(stored, err) || err != nil {
			return next, false
		}
		m.mended++
		next++
		if next <= m.survived && m.store != nil {
			if _, good := m.surviving(ctx, next); good {
				break
			}
		}
	}
	return next, true
}
