package bookdir

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// ErrNoLog means that a place holds no archived log, or not the one that is meant.
var ErrNoLog = errors.New("bookdir: no such archive here")

// ErrBeforeLog means that a log is to end before its first commit.
var ErrBeforeLog = errors.New("bookdir: the log begins after that")

// ErrElsewhere means that no archive lies in a place, but above or below it.
var ErrElsewhere = errors.New("bookdir: not the place of an archive")

// ErrSeveralLogs means that a place holds several, of which one must be named.
var ErrSeveralLogs = errors.New("bookdir: several archives lie here")

// Restore brings a book back from its archive.
type Restore struct {
	From archive.Place
	// Origin is the log's, empty where the place has but one book.
	Origin     string
	Identities archive.Identities
	// Trust is a list of keys, as it is signed, that is known from elsewhere; may be nil.
	Trust []byte
	// Root is the new ring's root key, KeyFile its path if it is a file.
	Root        keyring.Root
	KeyFile     string
	RingOptions []keyring.Option
	// Identity is the file of the book's identity key, where that is offline.
	Identity string
	// UntilSize, unless 0, and UntilTime, unless zero, end the log before the first
	// page that goes beyond.
	UntilSize uint64
	UntilTime time.Time
	// Expected are checkpoints that the log must have.
	Expected []Checkpoint
	// ReadOnly makes a copy that takes no commands. Any other goes on in a new epoch
	// of the log, which the principal, an owner of the book, opens for the reason.
	ReadOnly          bool
	Principal, Reason string
	// AcceptLoss, unless nil, is how many commits may be lost: exactly as many as are.
	AcceptLoss *uint64
	// Views is where the book's views will be, as in Options: those in its folder are
	// made while the book is opened for the first time.
	Views string
	Clock ledger.Clock
	Log   *slog.Logger
	// Progress is told how many pages were brought back, and Viewed, then, how many
	// commits the views hold; both may be nil.
	Progress, Viewed func(done, of uint64)
}

// Restored is a book that was brought back.
type Restored struct {
	Info Info
	// Head is that of the last page that was brought back.
	Head page.Head
	// Loss is what was not; nil where nothing is known to be lost.
	Loss *Loss
	// Unaccounted is what earlier epochs in the same place hold besides.
	Unaccounted []Unaccounted
	// Receipt is that of the command that opened an epoch; nil where none did.
	Receipt []byte
}

// restoringName marks a folder in which a restore is under way: the file is locked while
// it is.
const restoringName = "restoring"

// beginRestoring makes an empty folder the place of a restore, which a file in it tells
// as long as it is there and open. What a restore left there that died goes first: it
// has all keys of the book, and is none.
func beginRestoring(dir string) (told *os.File, err error) {
	marker := filepath.Join(dir, restoringName)
	left, err := os.Open(marker)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	if err == nil {
		defer left.Close()
		if err := flock(left); err != nil {
			return nil, fmt.Errorf("%w: a restore to %s is under way", ErrBusy, dir)
		}
		if err := emptyAgain(dir, true); err != nil {
			return nil, err
		}
	}
	if err := makeEmpty(dir); err != nil {
		return nil, err
	}
	told, err = os.OpenFile(marker, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	if err := flock(told); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: a restore to %s is under way", ErrBusy, dir), told.Close())
	}
	return told, syncDir(dir) // before there are keys
}

// Do brings the book back in a folder that is empty or not there yet, or has what a
// restore left that was cut short. After an error the folder is empty, or not there.
func (r Restore) Do(ctx context.Context, dir string) (_ Restored, err error) {
	from, err := openArchive(ctx, r.From, r.Origin, r.Trust)
	if err != nil {
		return Restored{}, err
	}
	_, existed := os.Stat(dir)
	told, err := beginRestoring(dir)
	if err != nil {
		return Restored{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, emptyAgain(dir, existed == nil))
		}
		_ = told.Close() // nothing was written to it
	}()
	if !r.ReadOnly { // its first command would be refused when all is there
		if err := room(dir)(); err != nil {
			return Restored{}, err
		}
	}
	done, err := r.restore(ctx, dir, from)
	if err != nil {
		return Restored{}, err
	}
	if err := errors.Join(os.Remove(told.Name()), syncDir(dir)); err != nil { // or the next would remove the book
		return Restored{}, fmt.Errorf("bookdir: %w", err)
	}
	// The book exists from here on.
	return done, writeInfo(dir, done.Info)
}

// emptyAgain takes back what was made in a folder that was empty, and a folder that
// was made.
func emptyAgain(dir string, keep bool) error {
	discarded := keyring.Discard(ringPath(dir)) // it has all keys of the book
	if !keep {
		return errors.Join(discarded, os.RemoveAll(dir))
	}
	entries, err := os.ReadDir(dir)
	err = errors.Join(discarded, err)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

func (r Restore) restore(ctx context.Context, dir string, from archivedLog) (done Restored, err error) {
	done.Info = from.info
	done.Info.KeyFile, done.Info.ReadOnly = r.KeyFile, r.ReadOnly
	given, earlier, err := expectations(from, r.Expected)
	if err != nil {
		return done, err
	}
	var expected []page.Head
	for _, e := range given {
		expected = append(expected, e.Head)
	}
	reader, err := from.open(ctx, r.Identities, from.verifier)
	if err != nil {
		return done, err
	}
	copied, err := from.log.OpenRing(ctx, r.Identities)
	if err != nil {
		return done, err
	}
	defer clear(copied.Root)
	ring, err := keyring.Restore(filepath.Join(dir, "ring"), copied, r.Root, r.RingOptions...)
	if err != nil {
		return done, err
	}
	closed := false
	closeRing := func() error {
		if closed {
			return nil
		}
		closed = true
		return ring.Close()
	}
	defer func() { err = errors.Join(err, closeRing()) }()
	var settings [][]byte
	if done.Head, settings, err = r.pages(ctx, dir, from, reader, expected); err != nil {
		return done, err
	}
	lost, err := from.said(ring, settings)
	if err != nil {
		return done, err
	}
	if done.Loss, err = r.loss(ctx, reader, done.Head, expected, lost.rest(earlier)); err != nil {
		return done, err
	}
	if done.Unaccounted, err = from.beyondEpochs(ctx, r.Identities, r.Log); err != nil {
		return done, err
	}
	for _, e := range earlier { // which was just accepted
		lost[e.Origin] = max(lost[e.Origin], e.To)
	}
	done.Unaccounted = lost.rest(done.Unaccounted)
	beyond, pages, err := r.readBeyond(ctx, from, reader, ring, done.Head)
	if err != nil {
		return done, err
	}
	var open *book.OpenEpoch
	if r.ReadOnly {
		err = errors.Join(keepBeyond(dir, pages), r.silence(dir, &done.Info, ring, from))
	} else if open, err = r.succeed(dir, &done, ring, from); err == nil {
		open.Erased = carried(beyond)
		err = r.permitted(from, ring, settings, open)
	}
	if err != nil {
		return done, err
	}
	remembered, err := head.Create(filepath.Join(dir, "head"), head.Head{Epoch: done.Info.Epoch, Head: done.Head})
	if err == nil {
		err = remembered.Close()
	}
	if err = errors.Join(err, closeRing()); err != nil {
		return done, err
	}
	if len(from.places) > 0 {
		if err := from.places.write(dir); err != nil {
			return done, err
		}
	}
	done.Receipt, err = r.open(ctx, dir, &done.Info, open, beyond)
	return done, fullDisk(dir, err)
}

// pages makes the log anew from the archive's pages, each checked before it is
// written, and holds it against every checkpoint that is known. It gives the commits
// of the book's own stream.
func (r Restore) pages(ctx context.Context, dir string, from archivedLog, reader *archive.Reader, expected []page.Head) (h page.Head, settings [][]byte, err error) {
	var first page.Page // that has commits
	h, err = newLog{
		laid: func(p page.Page) {
			for _, stored := range p.Commits {
				sealed, err := seal.Parse(stored)
				if err == nil && slices.ContainsFunc(sealed.Header.Events, func(e seal.Event) bool { return e.Stream.Kind == string(domain.KindBook) }) {
					settings = append(settings, bytes.Clone(stored))
				}
			}
		},
		book: from.info.Book, verifier: from.verifier, reader: reader, log: r.Log, progress: r.Progress,
		beyond: func(p page.Page) bool {
			if first.Size == 0 {
				first = p
			}
			return r.beyond(p)
		},
		complete: func(h page.Head) bool { return r.UntilSize != 0 && h.Size == r.UntilSize },
		agrees:   func(h page.Head) error { return agrees(reader, h, expected) },
	}.lay(ctx, filepath.Join(dir, "store"))
	var bad *page.Error
	if errors.As(err, &bad) {
		err = fmt.Errorf("%w: %w", archive.ErrDamaged, err)
	}
	if errors.Is(err, eventstore.ErrUnclear) {
		err = fullDisk(dir, err)
	}
	if err != nil {
		return h, nil, r.unsound(ctx, reader, h, expected, err)
	}
	if h.Size == 0 && first.Size > 0 {
		sealed, err := seal.Parse(first.Commits[len(first.Commits)-1])
		if err != nil {
			return h, nil, fmt.Errorf("%w: %w", archive.ErrDamaged, err)
		}
		return h, nil, fmt.Errorf("%w: its first page ends at position %d, of %s",
			ErrBeforeLog, first.Size-1, time.UnixMicro(sealed.Header.Recorded).UTC().Format(time.RFC3339Nano))
	}
	if h.Size == 0 {
		err = fmt.Errorf("%w: nothing of the log up to there", ErrNoLog)
	}
	return h, settings, err
}

// agrees holds a head against the checkpoints of its size.
func agrees(reader *archive.Reader, h page.Head, expected []page.Head) error {
	contradicts := reader.Contradicts(h)
	for _, e := range expected {
		contradicts = contradicts || e.Size == h.Size && e.Root != h.Root
	}
	if contradicts {
		return fmt.Errorf("%w: at size %d the archive has another root than a checkpoint of it says", ledger.ErrContradiction, h.Size)
	}
	return nil
}

// beyond reports whether a page goes beyond where the log is to end.
func (r Restore) beyond(p page.Page) bool {
	if r.UntilSize != 0 && p.Size > r.UntilSize {
		return true
	}
	if r.UntilTime.IsZero() {
		return false
	}
	return slices.ContainsFunc(p.Commits, func(stored []byte) bool {
		sealed, err := seal.Parse(stored)
		return err == nil && time.UnixMicro(sealed.Header.Recorded).After(r.UntilTime)
	})
}

// silence makes the copy unable to sign.
func (r Restore) silence(dir string, info *Info, ring *keyring.Ring, from archivedLog) error {
	for _, name := range []string{signingKey, nextKey, identityKey} {
		if err := destroyNamed(ring, name); err != nil {
			return err
		}
	}
	return writeDurably(keysPath(dir), from.info.signed, 0o644)
}

// destroyNamed destroys a key and takes its name away, if there is such a name. The
// name goes last: a key that has none any more would never be found again.
func destroyNamed(ring *keyring.Ring, name string) error {
	id, err := ring.Named(name)
	if errors.Is(err, keyring.ErrUnknownKey) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := ring.Destroy(id); err != nil {
		return err
	}
	return ring.SetNamed(name, 0)
}

// succeed prepares a new epoch: a new key signs from here on under a new origin,
// and the old key is destroyed, so that this copy never signs as the old log.
func (r Restore) succeed(dir string, done *Restored, ring *keyring.Ring, from archivedLog) (*book.OpenEpoch, error) {
	verifier, err := from.info.Verifier()
	if err != nil {
		return nil, err
	}
	identity, err := r.identity(ring, from.info)
	if err != nil {
		return nil, err
	}
	defer clear(identity)
	id, err := ring.New(keyring.Signing)
	if err != nil {
		return nil, err
	}
	seed, err := ring.Key(id)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	private := ed25519.NewKeyFromSeed(seed)
	defer clear(private)
	public := private.Public().(ed25519.PublicKey)
	i := &done.Info
	i.Epoch = verifier.Epoch(done.Head.Size) + 1 // later ones may not be brought back
	i.Origin = origin(i.Book, i.Epoch, public)
	if i.Key, err = verifierKey(i.Origin, private); err != nil {
		return nil, err
	}
	if err := i.put(dir, from.info.list.Succeed(i.Origin, public, done.Head.Size), identity); err != nil {
		return nil, err
	}
	for _, name := range []string{signingKey, nextKey} {
		if err := destroyNamed(ring, name); err != nil {
			return nil, err
		}
	}
	if err := ring.SetNamed(signingKey, id); err != nil {
		return nil, err
	}
	open := &book.OpenEpoch{
		Book: i.Book, Origin: i.Origin, Reason: cmp.Or(r.Reason, "restored from the archive"),
		Follows: checkpointOf(originAt(verifier, done.Head.Size-1), done.Head),
	}
	if done.Loss != nil {
		lost := done.Loss.checkpoints(originAt(verifier, done.Loss.Known-1))
		open.Lost, open.LostEarlier = &lost[0], lost[1:]
	}
	return open, open.Validate()
}

func checkpointOf(origin string, h page.Head) book.Checkpoint {
	return book.Checkpoint{Origin: origin, Size: h.Size, Root: slices.Clone(h.Root[:])}
}

// identity is the identity key, from the ring or from its file. The caller clears it.
func (r Restore) identity(ring *keyring.Ring, i Info) (ed25519.PrivateKey, error) {
	if r.Identity != "" {
		return readIdentity(r.Identity, i.Identity)
	}
	return identityIn(ring)
}

// open opens the book for the first time, which brings erasures to their end, those
// beyond the end of the log too, and begins its epoch, of which it gives the receipt.
// Where it has no views yet they are made meanwhile, unless an erasure is going to have
// them made anew.
func (r Restore) open(ctx context.Context, dir string, i *Info, epoch *book.OpenEpoch, beyond []commit.Beyond) (receipt []byte, err error) {
	defer inBulkWork()() // not before: while it lays the log the server keeps much of it in memory
	o := Options{Root: r.Root, RingOptions: r.RingOptions, Views: cmp.Or(r.Views, InFolder), Clock: r.Clock, Log: r.Log, beyond: beyond}
	if _, err := os.Stat(filepath.Join(dir, "views")); o.Views == InFolder && len(beyond) == 0 && errors.Is(err, fs.ErrNotExist) {
		o.beside = func(l *link) (*beside, error) { return l.viewsBeside(ctx, r.Viewed) }
	}
	l, err := hold(ctx, dir, *i, o)
	if err != nil {
		return nil, err
	}
	if epoch != nil {
		receipt, err = l.openEpoch(ctx, r.Principal, epoch)
	}
	if err == nil && l.beside != nil {
		l.beside.wait()
	}
	return receipt, errors.Join(err, l.close(ctx))
}

// openEpoch enters the command that opens an epoch, and gives its receipt.
func (l *link) openEpoch(ctx context.Context, principal string, epoch *book.OpenEpoch) ([]byte, error) {
	receipt, err := l.ledger.Do(ctx, ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: principal, Command: epoch})
	if err != nil {
		return nil, err
	}
	return receipt.Marshal()
}
