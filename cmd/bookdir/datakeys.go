package bookdir

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/projections"
)

// RotateData makes a new key for accounting facts. Facts are sealed under it from
// now on, within a second also by another process that holds the book, and so is
// what is personal under new keys of the customers: keys of customers that are
// older than the key of the facts seal nothing any more. All keys are wrapped
// under a new book key besides. What was sealed before stays as it is.
func (b *Book) RotateData() (keyring.KeyID, error) {
	if b.current().info.ReadOnly {
		return 0, refuseReadOnly()
	}
	id, err := b.Keys().New(keyring.Facts)
	if err != nil {
		return 0, err
	}
	return id, b.Keys().SetNamed(factsKey, id)
}

// RotateBook wraps all keys under a new book key, and changes none of them.
func (b *Book) RotateBook() error {
	if b.current().info.ReadOnly {
		return refuseReadOnly()
	}
	return b.Keys().Rotate()
}

// ChangeRoot makes another passphrase or key file open the book, and the former
// one no longer. keyFile is the path of the key file, "" for a passphrase. A
// process that dies between the two steps leaves a book that opens with the new
// root key, and book.json naming the old key file, which is only a convenience.
func (a *Admin) ChangeRoot(root keyring.Root, keyFile string) error {
	if err := a.link.keys.ChangeRoot(root); err != nil {
		return err
	}
	a.Info.KeyFile = keyFile
	return writeInfo(a.dir, a.Info)
}

// WantsKeyFile reports whether the book in a folder is locked with a key file,
// and not with a passphrase.
func WantsKeyFile(dir string) (bool, error) { return keyring.WantsKeyFile(filepath.Join(dir, "ring")) }

// Commits yields all commits of the book up to the durable head, verified and
// opened. Progress is told how many of how many there were; it may be nil.
func (b *Book) Commits(ctx context.Context, progress func(done, last uint64)) iter.Seq2[commit.Commit, error] {
	return func(yield func(commit.Commit, error) bool) {
		durable, err := b.Head()
		if err != nil {
			yield(commit.Commit{}, err)
			return
		}
		for page, err := range b.source(ctx, projections.Cursor{}) {
			if err != nil {
				yield(commit.Commit{}, fmt.Errorf("bookdir: read the log: %w", err))
				return
			}
			for _, c := range page.Commits {
				if !yield(c, nil) {
					return
				}
			}
			if progress != nil {
				progress(page.Cursor.Size, max(durable.Size, page.Cursor.Size))
			}
		}
	}
}
