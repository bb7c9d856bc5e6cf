package bookdir

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/bundle"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
)

// Place is where a commit stands.
type Place struct{ Page, Position uint64 }

// prover proves commits, and older sizes, in the newest tree.
type prover interface {
	ProveRecord(position, size uint64) (tlog.RecordProof, error)
	ProveTree(old, size uint64) (tlog.TreeProof, error)
}

// Bundle makes the evidence of the commits at some places, about a stream: by the
// newest cosigned checkpoint where that covers them all, else by the newest. With
// reveal it has the secrets of exactly their sections, too, but for those that were
// erased.
func (b *Book) Bundle(ctx context.Context, about string, places []Place, reveal bool) (bundle.Bundle, error) {
	_, keys, err := b.Info.KeyList()
	if err != nil {
		return bundle.Bundle{}, err
	}
	out := bundle.Bundle{About: about, Keys: keys, Commits: []bundle.Commit{}, Secrets: []bundle.Secret{}}
	checkpoint, h, err := b.Checkpoint()
	if err != nil {
		return out, err
	}
	proofs, done, err := b.prover(ctx)
	if err != nil {
		return out, err
	}
	defer done()
	slices.SortFunc(places, func(x, y Place) int { return int(x.Position) - int(y.Position) })
	if n := len(places); n > 0 {
		if kept, is := b.cosigned(proofs, h, places[n-1].Position+1); is {
			checkpoint, h = kept.Checkpoint, kept.Head
		}
	}
	out.Checkpoint = checkpoint
	for _, place := range slices.Compact(places) {
		c := bundle.Commit{Position: place.Position, Proof: []tlog.Hash{}}
		if c.Stored, err = b.stored(ctx, place); err != nil {
			return out, err
		}
		proof, err := proofs.ProveRecord(place.Position, h.Size)
		if err != nil {
			return out, err
		}
		c.Proof = append(c.Proof, proof...)
		out.Commits = append(out.Commits, c)
		if reveal {
			secrets, err := b.disclose(c)
			if err != nil {
				return out, err
			}
			out.Secrets = append(out.Secrets, secrets...)
		}
	}
	return out, nil
}

// cosigned gives the newest cosigned checkpoint, where it is of at least a size and
// of the log whose newest head this is.
func (b *Book) cosigned(proofs prover, newest page.Head, size uint64) (Cosigned, bool) {
	kept, err := ReadCosigned(b.Dir, b.current().info)
	if err != nil || kept.Head.Size < size {
		return Cosigned{}, false
	}
	proof, err := proofs.ProveTree(kept.Head.Size, newest.Size)
	if err != nil {
		return Cosigned{}, false
	}
	return kept, tlog.CheckTree(proof, int64(newest.Size), newest.Root, int64(kept.Head.Size), kept.Head.Root) == nil
}

// prover is the writer's tree where this process has the writer, and else one
// that is made from the log.
func (b *Book) prover(ctx context.Context) (prover, func(), error) {
	l := b.current()
	if w, is := l.ledger.(*ledger.Writer); is {
		return w, func() {}, nil
	}
	verifier, err := l.info.Verifier()
	if err != nil {
		return nil, nil, err
	}
	tree, err := (&Log{Info: l.info, Store: l.store, Verifier: verifier, link: l}).Tree(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	return tree, func() { _ = tree.Close() }, nil // the file is temporary
}

// stored reads a commit's bytes.
func (b *Book) stored(ctx context.Context, place Place) ([]byte, error) {
	l := b.current()
	verifier, err := l.info.Verifier()
	if err != nil {
		return nil, err
	}
	for p, err := range l.store.Read(ctx, place.Page, place.Page) {
		if err != nil {
			return nil, err
		}
		opened, err := verifier.Open(p.Body)
		if err != nil {
			return nil, page.At(err, place.Page)
		}
		if at := place.Position - opened.OldSize; place.Position >= opened.OldSize && at < uint64(len(opened.Commits)) {
			return slices.Clone(opened.Commits[at]), nil
		}
	}
	return nil, fmt.Errorf("bookdir: page %d does not hold position %d", place.Page, place.Position)
}

// Receipted reports whether a receipt is that of a command of this book. That its
// signature counts is not asked: it may be of a key that was replaced since.
func (b *Book) Receipted(ctx context.Context, r transparency.Receipt, command uuid.UUID) (bool, error) {
	for c, err := range b.Between(ctx, r.Position, r.Position+1) {
		if err != nil || c.ID != command {
			return false, err
		}
		stored, err := b.stored(ctx, Place{Page: c.Page, Position: c.Position})
		return page.EntryHash(stored) == r.Entry, err
	}
	return false, nil
}

// disclose gives the secrets of a commit's sections, but for those erased.
func (b *Book) disclose(c bundle.Commit) (secrets []bundle.Secret, err error) {
	sealed, err := seal.Parse(c.Stored)
	if err != nil {
		return nil, err
	}
	for i, s := range sealed.Header.Sections {
		key, err := b.Keys().Key(s.Key)
		if errors.Is(err, keyring.ErrDestroyed) {
			continue // erased
		}
		if err != nil {
			return nil, err
		}
		secret, err := sealed.Disclose(i, key)
		clear(key)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, bundle.Secret{Position: c.Position, Section: uint64(i), Secret: secret})
	}
	return secrets, nil
}

// Proven is a commit, what proves that it is in the log, and what opens it.
type Proven struct {
	commit.Commit
	// Evidence is the stored commit with its proof at the size of the evidence.
	Evidence bundle.Commit
	Secrets  []bundle.Secret
}

// Evidence is what the proofs of a whole log are held against.
type Evidence struct {
	// Keys is the signed list of the log's keys, Checkpoint the newest checkpoint, with
	// its cosignatures where the witnesses have given them.
	Keys, Checkpoint []byte
	Size             uint64
	// Commits reads all commits up to Size, verified and opened, in their order.
	Commits iter.Seq2[Proven, error]
}

// Evidence gives every commit of the log with its proof. Progress may be nil.
func (b *Book) Evidence(ctx context.Context, progress func(done, last uint64)) (Evidence, error) {
	_, keys, err := b.Info.KeyList()
	if err != nil {
		return Evidence{}, err
	}
	last, err := b.Head()
	if err != nil {
		return Evidence{}, err
	}
	signed, h, err := b.Checkpoint()
	if err != nil {
		return Evidence{}, err
	}
	if kept, err := ReadCosigned(b.Dir, b.current().info); err == nil && kept.Head == h { // else it does not cover all
		signed = kept.Checkpoint
	}
	e := Evidence{Keys: keys, Checkpoint: signed, Size: h.Size}
	e.Commits = func(yield func(Proven, error) bool) {
		if err := b.prove(ctx, last.Page, h.Size, progress, yield); err != nil {
			yield(Proven{}, err)
		}
	}
	return e, nil
}

// prove yields the commits up to a size, which a page at or after the given one
// leads to; an error of its own it returns.
func (b *Book) prove(ctx context.Context, through, size uint64, progress func(done, last uint64), yield func(Proven, error) bool) error {
	proofs, done, err := b.prover(ctx)
	if err != nil {
		return err
	}
	defer done()
	log, err := b.reader()
	if err != nil {
		return err
	}
	chain, err := log.chain(ctx, projections.Cursor{})
	if err != nil {
		return err
	}
	for stored, err := range log.store.Read(ctx, 1, through) {
		if err != nil {
			return err
		}
		opened, err := chain.Next(stored)
		if err != nil {
			return err
		}
		commits, err := log.codec.OpenPage(opened)
		if err != nil {
			return err
		}
		for i, c := range commits {
			if c.Position >= size {
				return nil
			}
			p := Proven{Commit: c, Evidence: bundle.Commit{Position: c.Position, Stored: opened.Commits[i]}}
			if p.Evidence.Proof, err = proofs.ProveRecord(c.Position, size); err != nil {
				return err
			}
			if p.Secrets, err = b.disclose(p.Evidence); err != nil {
				return err
			}
			if !yield(p, nil) {
				return nil
			}
		}
		if progress != nil {
			progress(opened.Head.Size, size)
		}
	}
	return nil
}
