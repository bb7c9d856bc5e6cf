package bookdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// Checkpoint signs a checkpoint of the log as far as it was acknowledged and
// remembered. A copy that is read only has no key to sign with, and is refused.
func (b *Book) Checkpoint() ([]byte, page.Head, error) {
	l := b.current()
	if l.info.ReadOnly {
		return nil, page.Head{}, refuseReadOnly()
	}
	h, err := l.head()
	if err != nil {
		return nil, page.Head{}, err
	}
	h.Page = 0
	signed, err := l.signs.Checkpoint(h)
	return signed, h, err
}

// TileExport writes a book's log as C2SP tlog-tiles into a folder: the pages that
// follow those of the last time.
type TileExport struct {
	book   *Book
	dir    string
	origin string
	mu     sync.Mutex
	// chain is nil before the first Update, and after one that could not write a file:
	// what stands in the folder is not known then, and all is written anew.
	chain *page.Chain
	tiles *transparency.Tiles
}

// ErrOtherExport means that a folder has the tiles of another log.
var ErrOtherExport = errors.New("bookdir: the folder has the tiles of another log")

// NewTileExport begins an export into a folder, which is made if it is not there.
// What stands there from an earlier export is written anew; ErrOtherExport where that
// is of another log, or of one that this log does not extend. A copy that is read only
// cannot sign the checkpoint: it is refused before anything is written.
func (b *Book) NewTileExport(ctx context.Context, dir string, progress func(pages, of uint64)) (*TileExport, error) {
	info := b.current().info
	if info.ReadOnly {
		return nil, refuseReadOnly()
	}
	e := &TileExport{book: b, dir: dir, origin: info.Origin}
	published, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bookdir: export: %w", err)
	}
	return e, e.extends(ctx, published, progress)
}

// extends refuses a checkpoint that the log does not extend. Who signed it is not
// asked: the key may count no more, and the root tells whose it is.
func (e *TileExport) extends(ctx context.Context, published []byte, progress func(pages, of uint64)) error {
	lines := strings.SplitN(string(published), "\n", 4)
	if len(lines) < 4 {
		return fmt.Errorf("%w: its checkpoint has not the form of one", ErrOtherExport)
	}
	if lines[0] != e.origin {
		return fmt.Errorf("%w: its checkpoint is of %.200q", ErrOtherExport, lines[0])
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return fmt.Errorf("%w: its checkpoint is of size %.30q", ErrOtherExport, lines[1])
	}
	durable, err := e.book.Head()
	if err != nil {
		return err
	}
	if size > durable.Size {
		return fmt.Errorf("%w: its checkpoint is of size %d, and this log has %d", ErrOtherExport, size, durable.Size)
	}
	root, err := e.rootAt(ctx, size, durable, progress)
	if err == nil && root.String() != lines[2] {
		err = fmt.Errorf("%w: its checkpoint has root %.50q at size %d, and this log %v", ErrOtherExport, lines[2], size, root)
	}
	return err
}

// rootAt is the root that the log had at a size, by its verified pages.
func (e *TileExport) rootAt(ctx context.Context, size uint64, durable page.Head, progress func(pages, of uint64)) (tlog.Hash, error) {
	verifier, err := e.book.current().info.Verifier()
	if err != nil {
		return tlog.Hash{}, err
	}
	chain, err := page.NewChain(verifier, page.EmptyHead(), page.Edge{})
	if err != nil {
		return tlog.Hash{}, err
	}
	var edge page.Edge
	err = e.book.retry(ctx, func() error {
		for stored, err := range e.book.Store().Read(ctx, chain.Head().Page+1, durable.Page) {
			if err != nil {
				return err
			}
			p, err := chain.Next(stored)
			if err != nil {
				return err
			}
			for _, leaf := range p.Leaves(nil) {
				if edge.Size() == size {
					return nil
				}
				edge.Append(leaf, nil)
			}
			if progress != nil {
				progress(stored.Number, durable.Page)
			}
		}
		return nil
	})
	return edge.Root(), err
}

// begin begins at the first page where nothing was written yet, or not everything, and
// else goes on: by the keys of now, for whoever held the book may have changed them.
func (e *TileExport) begin() error {
	info := e.book.current().info
	if info.Origin != e.origin {
		return fmt.Errorf("%w: they are of %s, and the book goes on as %s", ErrOtherExport, e.origin, info.Origin)
	}
	verifier, err := info.Verifier()
	if err != nil {
		return err
	}
	if e.chain != nil {
		e.chain, err = page.NewChain(verifier, e.chain.Head(), e.chain.Edge())
		return err
	}
	e.tiles = transparency.NewTiles(e.put)
	e.chain, err = page.NewChain(verifier, page.EmptyHead(), page.Edge{})
	return err
}

// put writes a file whole. Where it cannot, the next Update begins anew.
func (e *TileExport) put(path string, data []byte) error {
	path = filepath.Join(e.dir, filepath.FromSlash(path))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path+".new", data, 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		e.chain = nil
		return fmt.Errorf("bookdir: export: %w", err)
	}
	return nil
}

// Update brings the folder to the log's durable head, verified, the checkpoint
// last; and gives that head and its checkpoint.
func (e *TileExport) Update(ctx context.Context, progress func(pages, of uint64)) (page.Head, []byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.book.retry(ctx, func() error { return e.follow(ctx, progress) }); err != nil {
		return page.Head{}, nil, err
	}
	if err := e.tiles.Flush(); err != nil {
		return page.Head{}, nil, err
	}
	h := e.chain.Head()
	h.Page = 0
	if written := e.tiles.Head(); written != h {
		e.chain = nil
		return page.Head{}, nil, fmt.Errorf("bookdir: export: the tiles have size %d and root %v, the log has %d and %v",
			written.Size, written.Root, h.Size, h.Root)
	}
	signed, err := e.book.current().signs.Checkpoint(h)
	if err == nil {
		err = e.put("checkpoint", signed)
	}
	return h, signed, err
}

// follow writes what the log has more, up to its durable head.
func (e *TileExport) follow(ctx context.Context, progress func(pages, of uint64)) error {
	if err := e.begin(); err != nil {
		return err
	}
	durable, err := e.book.Head()
	if err != nil {
		return err
	}
	for stored, err := range e.book.Store().Read(ctx, e.chain.Head().Page+1, durable.Page) {
		if err != nil {
			return err
		}
		p, err := e.chain.Next(stored)
		if err != nil {
			return err
		}
		for _, c := range p.Commits {
			if err := e.tiles.Append(page.EntryHash(c)); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(stored.Number, durable.Page)
		}
	}
	return nil
}

// Tree makes the tree of a log anew from its pages, verified, in a file of the
// system's temporary folder. The caller closes the tree; the file is gone then.
func (l *Log) Tree(ctx context.Context, progress func(pages, of uint64)) (*transparency.Tree, error) {
	tree, _, err := l.tree(ctx, progress)
	return tree, err
}

// tree gives the chain, too, with which fill goes on.
func (l *Log) tree(ctx context.Context, progress func(pages, of uint64)) (*transparency.Tree, *page.Chain, error) {
	f, err := os.CreateTemp("", "daybook-tree-")
	if err != nil {
		return nil, nil, fmt.Errorf("bookdir: %w", err)
	}
	defer os.Remove(f.Name()) // it stays while it is open
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("bookdir: %w", err)
	}
	tree, err := transparency.CreateFile(f.Name())
	if err != nil {
		return nil, nil, err
	}
	chain, err := page.NewChain(l.Verifier, page.EmptyHead(), page.Edge{})
	if err == nil {
		err = l.fill(ctx, tree, chain, progress)
	}
	if err != nil {
		_ = tree.Close() // the error before says more
		return nil, nil, err
	}
	return tree, chain, nil
}

// fill adds to a tree what the log has after the chain's head.
func (l *Log) fill(ctx context.Context, tree *transparency.Tree, chain *page.Chain, progress func(pages, of uint64)) error {
	last, err := l.Store.Last(ctx)
	if err != nil {
		return err
	}
	if last <= chain.Head().Page {
		return nil
	}
	var leaves []tlog.Hash
	for stored, err := range l.Store.Read(ctx, chain.Head().Page+1, last) {
		if err != nil {
			return err
		}
		p, err := chain.Next(stored)
		if err != nil {
			return err
		}
		leaves = p.Leaves(leaves[:0])
		if err := tree.Append(leaves...); err != nil {
			return err
		}
		if progress != nil {
			progress(stored.Number, last)
		}
	}
	return nil
}
