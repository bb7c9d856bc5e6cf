package bookdir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// The codes of what only a deep verification finds.
const (
	// CodeSection: a section does not open under its key.
	CodeSection = "section-damaged"
	// CodeKeyMissing: a section's key is not in the ring.
	CodeKeyMissing = "key-missing"
	// CodeUnlogged: a section's key was destroyed, and the log does not say so.
	CodeUnlogged = "erased-unlogged"
	// CodeProof: a principal's own proof cannot be checked.
	CodeProof = "proof-unknown"
)

// Deep opens and replays commits, with the book's keys.
type Deep struct {
	link     *link
	replayer *ledger.Replayer
	file     *state.File
	scratch  *Scratch
	failed   error
	periods  *audit.Periods
	// size is how many commits it was given, and broken tells that the states of the
	// replay failed, or that the log could not be read, so that nothing can be said of it.
	size   uint64
	broken error
	// attested are the hashes of views that stand in the log, of which so many were
	// compared.
	attested []attestation
	compared int
	// kept is where what was kept stands, and unlock ends its use; nil where nothing
	// is.
	kept   *keptDeep
	unlock func()
}

// OpenDeep unlocks the keys of the book in a folder for a deep verification.
func OpenDeep(dir string, o Options) (_ *Deep, err error) {
	info, err := ReadInfo(dir)
	if err != nil {
		return nil, err
	}
	d := &Deep{
		link:    &link{dir: dir, info: info, options: o},
		periods: audit.NewPeriods(),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close(context.Background()))
		}
	}()
	if _, err := d.link.unlock(); err != nil {
		return nil, err
	}
	// The states of a replay are sealed like those of the writer, under a key that
	// nobody keeps unless Keep is called.
	if d.scratch, err = NewScratch(""); err != nil {
		return nil, err
	}
	key := make([]byte, keyring.KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	defer clear(key)
	if d.file, err = state.Open(filepath.Join(d.scratch.Dir, "states"), key); err != nil {
		return nil, err
	}
	d.replayer = ledger.NewReplayer(info.Book, d.file)
	return d, nil
}

// Close forgets the keys and the states.
func (d *Deep) Close(ctx context.Context) error {
	var errs []error
	if d.replayer != nil {
		errs = append(errs, d.replayer.Wait())
	}
	if d.file != nil {
		errs = append(errs, d.file.Close())
	}
	if d.unlock != nil {
		d.unlock()
	}
	if d.scratch != nil {
		errs = append(errs, d.scratch.Remove())
	}
	return errors.Join(append(errs, d.link.close(ctx))...)
}

// opened is a commit that was opened, on any core.
type opened struct {
	commit ledger.Prepared
	err    error
	proof  bool
}

// open opens a commit. A section whose key was destroyed counts as erased where the
// log says so, be it in a page that was appended since the verification began.
func (d *Deep) open(stored []byte) (o opened) {
	c, err := d.link.codec.Open(stored)
	if err != nil {
		return opened{err: err}
	}
	o.commit = ledger.Prepare(c)
	sealed, err := seal.Parse(stored)
	if err != nil {
		return opened{err: err}
	}
	o.proof = len(sealed.Header.Proof) > 0
	return o
}

// replay takes an opened commit in its turn.
func (d *Deep) replay(o opened, leaf transparency.Leaf) (found []transparency.Failure) {
	d.size = leaf.Position + 1
	add := func(code, what string) {
		found = append(found, transparency.Failure{Page: leaf.Page, Position: leaf.Position, Code: code, What: what})
	}
	if errors.Is(o.err, commit.ErrUnread) { // which says nothing of the log
		d.broken = fmt.Errorf("bookdir: open position %d: %w", leaf.Position, o.err)
		return found
	}
	if o.err != nil {
		add(codeOfOpening(o.err), o.err.Error())
		return found
	}
	if o.proof {
		add(CodeProof, "the commit holds a principal's own proof, of a kind that this program cannot check")
	}
	for _, e := range o.commit.Events {
		if e, is := e.Event.(*book.Attested); is {
			d.attested = append(d.attested, attestation{e.Attestation, leaf.Page, leaf.Position})
		}
	}
	if d.failed != nil || d.broken != nil {
		return found
	}
	findings, err := d.replayer.Replay(o.commit)
	for _, f := range findings {
		add(f.Code, f.What)
	}
	if err != nil {
		d.broken = fmt.Errorf("bookdir: the states that a deep check keeps beside the log failed while it ran, which says nothing of the log: run it again: %w", err)
		return found
	}
	counted, err := d.periods.Commit(leaf.Position, changesOf(o.commit.Commit))
	if err != nil {
		d.failed = err
		add(ledger.CodeFold, "the replay ends here: "+err.Error())
	}
	for _, f := range counted {
		add(f.Code, f.What)
	}
	return found
}

// proved takes the head of a page whose commits were all replayed, and reports
// whether so much waits in memory that it should be kept.
func (d *Deep) proved(h page.Head) (full bool) {
	d.periods.Head(h.Size, h.Root[:])
	return d.replayer.Pending() >= ledger.MaxPending
}

// codeOfOpening is the code of a commit that does not open.
func codeOfOpening(err error) string {
	switch {
	case errors.Is(err, seal.ErrSection):
		return CodeSection
	case errors.Is(err, commit.ErrNotErased):
		return CodeUnlogged
	case errors.Is(err, keyring.ErrUnknownKey), errors.Is(err, keyring.ErrDestroyed), errors.Is(err, keyring.ErrDamaged):
		return CodeKeyMissing
	}
	return CodeCommitForm
}
