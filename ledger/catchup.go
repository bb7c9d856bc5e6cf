package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// cursor is how far the state file has come.
type cursor struct {
	_        struct{} `cbor:",toarray"`
	Epoch    uint64
	Page     uint64
	Size     uint64
	Root     [32]byte
	Recorded int64  // of the newest commit, Unix microseconds
	Key      uint64 // the highest key id that the log uses
	Forms    [32]byte
}

// cursor is the state of what is durable. The mutex is held.
func (w *Writer) cursor() *cursor { return w.cursorAt(w.durableHead, w.durable) }

// cursorAt is the state file's after a page.
func (w *Writer) cursorAt(h page.Head, recorded time.Time) *cursor {
	return &cursor{
		Epoch: w.Epoch, Page: h.Page, Size: h.Size, Root: h.Root,
		Recorded: recorded.UnixMicro(), Key: uint64(w.newestKey), Forms: w.forms,
	}
}

func (w *Writer) remembered() head.Head { return head.Head{Epoch: w.Epoch, Head: w.head} }

// start reads the state file's cursor and folds the pages after it.
func (w *Writer) start(ctx context.Context) error {
	var err error
	if w.forms, err = forms(); err != nil {
		return err
	}
	w.head = page.EmptyHead()
	data, found, err := w.State.Get([]byte(cursorKey))
	if err != nil {
		return err
	}
	if found {
		var c cursor
		if err := cbor.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("%w: its cursor: %w", state.ErrDamaged, err)
		}
		if c.Epoch != w.Epoch {
			return fmt.Errorf("%w: it is of log epoch %d, the book of %d", state.ErrDamaged, c.Epoch, w.Epoch)
		}
		if c.Forms != w.forms {
			return fmt.Errorf("%w: its rows have the form of another release", state.ErrDamaged)
		}
		w.head = page.Head{Page: c.Page, Size: c.Size, Root: c.Root}
		w.recorded, w.durable = time.UnixMicro(c.Recorded).UTC(), time.UnixMicro(c.Recorded).UTC()
		w.newestKey = keyring.KeyID(c.Key)
	}
	remembered := w.Head.Head()
	last, err := w.Store.Last(ctx)
	if err != nil {
		return err
	}
	if due := max(remembered.Page, w.head.Page); last < due {
		return fmt.Errorf("%w: it ends at page %d, but page %d was acknowledged", ErrLogShort, last, due)
	}
	if err := w.agree(ctx, w.head); err != nil {
		return err
	}
	if remembered.Epoch != w.Epoch {
		return fmt.Errorf("%w: the remembered head is of log epoch %d, the book of %d", ErrContradiction, remembered.Epoch, w.Epoch)
	}
	if remembered.Page <= w.head.Page && remembered.Head != w.head {
		err = w.agree(ctx, remembered.Head)
	} // else catching up comes past it
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.durableHead, w.next = w.head, w.head.Size
	w.mu.Unlock()
	if err := w.openTree(ctx); err != nil {
		return err
	}
	if err := w.catchUp(ctx); err != nil {
		return err
	}
	if err := w.checkKeys(); err != nil {
		return err
	}
	return w.finishErasures(ctx)
}

// checkKeys refuses a ring that is older than the log: it would give ids that
// are in use to new keys, and lacks the keys that they belong to.
func (w *Writer) checkKeys() error {
	slots, err := w.Keys.Len()
	if err != nil {
		return err
	}
	if uint64(slots) < uint64(w.newestKey) {
		return fmt.Errorf("%w: it has %d keys, and the log uses key %d: bring back the newest copy of the ring",
			keyring.ErrDamaged, slots, w.newestKey)
	}
	return nil
}

// uses takes note of the keys of a durable commit. The mutex is held.
func (w *Writer) uses(c commit.Commit) {
	w.newestKey = max(w.newestKey, c.Facts)
	for _, key := range c.Subjects {
		w.newestKey = max(w.newestKey, key)
	}
}

// openTree opens the tree as it was at w.head, or makes it anew from the log.
func (w *Writer) openTree(ctx context.Context) error {
	var err error
	if w.TreePath == "" {
		w.tree = transparency.NewMemory()
	} else {
		w.tree, err = transparency.OpenFile(w.TreePath, w.head)
		if err == nil || !errors.Is(err, transparency.ErrTreeDamaged) {
			return err
		}
		if w.tree, err = transparency.CreateFile(w.TreePath); err != nil {
			return err
		}
	}
	chain, err := page.NewChain(w.Signer.Verifier(), page.EmptyHead(), page.Edge{})
	if err != nil {
		return err
	}
	var leaves []tlog.Hash
	for p, err := range w.Store.Read(ctx, 1, w.head.Page) {
		if err != nil {
			return err
		}
		opened, err := chain.Next(p)
		if err != nil {
			return err
		}
		leaves = opened.Leaves(leaves[:0])
		if err := w.tree.Append(leaves...); err != nil {
			return err
		}
	}
	if chain.Head() != w.head {
		return fmt.Errorf("%w: its pages to %d lead to another tree head", ErrContradiction, w.head.Page)
	}
	return nil
}

// agree checks that the log's page of that number leads to that head.
func (w *Writer) agree(ctx context.Context, h page.Head) error {
	if h.Page == 0 {
		return nil
	}
	for p, err := range w.Store.Read(ctx, h.Page, h.Page) {
		if err != nil {
			return err
		}
		opened, err := w.Signer.Verifier().Open(p.Body)
		if err != nil {
			return err
		}
		if opened.Head != h {
			return fmt.Errorf("%w: page %d leads to another tree head", ErrContradiction, h.Page)
		}
		return nil
	}
	return fmt.Errorf("%w: page %d", eventstore.ErrGap, h.Page)
}

// catchUp folds the pages after w.head to the end of the log. Nothing undurable
// may be pending.
func (w *Writer) catchUp(ctx context.Context) error {
	w.setFolding(true)
	defer w.setFolding(false)
	chain, err := page.NewChain(w.Signer.Verifier(), w.head, w.tree.Edge())
	if err != nil {
		return err
	}
	remembered := w.Head.Head()
	last, err := w.last(ctx)
	if err != nil {
		return err
	}
	for p, err := range commit.Replay(ctx, w.Store, chain, w.Codec, commit.End) {
		if err != nil {
			return err
		}
		if p.Head.Page == remembered.Page && p.Head != remembered.Head {
			return fmt.Errorf("%w: page %d leads to another tree head than the remembered one", ErrContradiction, remembered.Page)
		}
		if err := w.foldPage(ctx, p); err != nil {
			return err
		}
		if w.Folded != nil {
			if err := w.Folded(p, chain.Edge()); err != nil {
				return err
			}
		}
		if w.Progress != nil {
			w.Progress(p.Head.Page, max(last, p.Head.Page))
		}
	}
	return nil
}

// setFolding says whether the log is being caught up with: rows then wait for many
// others, as nobody waits for them.
func (w *Writer) setFolding(is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.folding = is
	w.changed.Broadcast()
}

// last is the number of the log's newest page. Less than what is known means
// that the log has lost its end, and that the fence alone would never tell.
func (w *Writer) last(ctx context.Context) (uint64, error) {
	last, err := w.Store.Last(ctx)
	if err == nil && last < w.head.Page {
		err = fmt.Errorf("%w: it ends at page %d, but page %d was acknowledged", ErrLogShort, last, w.head.Page)
	}
	return last, err
}

// foldPage folds a verified page and makes it the durable head. After an error
// the writer is of no more use; nothing of the page is in the state file then.
func (w *Writer) foldPage(ctx context.Context, p commit.Page) error {
	for _, c := range p.Commits {
		if err := w.tree.Append(page.EntryLeaf(c.Entry)); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	writes, err := w.foldCommits(ctx, p)
	if err != nil {
		return err
	}
	for _, c := range p.Commits {
		w.recorded, w.durable = c.Recorded, c.Recorded
	}
	w.head = p.Head
	w.durableHead, w.checkpoint, w.next = p.Head, nil, p.Head.Size
	w.writes = append(w.writes, append(writes, write{cursor: w.cursor()})...)
	w.changed.Broadcast()
	return nil
}

// foldCommits folds the commits of a page, once there is room in memory, and
// gives what is to be written of them. The mutex is held.
func (w *Writer) foldCommits(ctx context.Context, p commit.Page) ([]write, error) {
	for len(w.over.unwritten) >= maxUnwritten && ctx.Err() == nil && w.unsettled.Err() == nil {
		w.changed.Wait()
	}
	writes := make([]write, 0, len(p.Commits)+1)
	for _, c := range p.Commits {
		updates, err := w.over.fold(c)
		if err != nil {
			return nil, err
		}
		w.uses(c)
		writes = append(writes, write{updates: updates})
	}
	return writes, nil
}

// write is work for the state file: rows of a commit, or the cursor after a page.
type write struct {
	updates []update
	cursor  *cursor
}

// persistEvery is how long durable rows wait for others, to be written with them:
// what changes often is then written once, and the readers of the state file keep
// what they have read for longer. A start reads the pages that were missed.
const persistEvery = 100 * time.Millisecond

// persist is the loop that writes durable rows to the state file, whole pages at
// a time. A failure is tried again: the file is a convenience, the log the truth.
func (w *Writer) persist() {
	for wait := 10 * time.Millisecond; ; {
		w.mu.Lock()
		for (len(w.writes) == 0 || w.folding && len(w.over.unwritten) < maxUnwritten/2) && w.unsettled.Err() == nil {
			w.changed.Wait()
		}
		if w.unsettled.Err() == nil && !w.folding {
			w.mu.Unlock()
			select {
			case <-time.After(persistEvery):
			case <-w.unsettled.Done():
			}
			w.mu.Lock()
		}
		writes, condemned, file := w.writes, w.condemned, w.State
		w.mu.Unlock()
		if len(writes) == 0 {
			return
		}
		w.at("persist")
		keys, size, err := w.persistOnce(file, writes, condemned)
		w.mu.Lock()
		replaced := w.State != file // and what was to be written with it
		if err == nil && !replaced {
			w.writes = w.writes[len(writes):]
			w.over.written(keys, size)
			w.changed.Broadcast()
		}
		w.mu.Unlock()
		if err == nil || replaced {
			w.at("persisted")
			wait = 10 * time.Millisecond
			continue
		}
		w.Log.Warn("the state file cannot be written; it will be tried again", "error", err)
		select {
		case <-time.After(wait):
			wait = min(2*wait, 2*time.Second)
		case <-w.unsettled.Done():
			return
		}
	}
}

// condemn has the state file made anew at the next start, if an error comes from
// it: what cannot be read now will not be readable then. The mutex is held.
func (w *Writer) condemn(err error) error {
	if errors.Is(err, state.ErrDamaged) && !w.condemned {
		w.condemned = true
		w.writes = append(w.writes, write{cursor: w.cursor()})
		w.changed.Broadcast()
	}
	return err
}

func (w *Writer) persistOnce(file *state.File, writes []write, condemned bool) ([]rowKey, uint64, error) {
	newest := make(map[rowKey]any)
	var last *cursor
	for _, one := range writes {
		for _, u := range one.updates {
			newest[u.key] = u.value
		}
		if one.cursor != nil {
			last = one.cursor
		}
	}
	if last == nil {
		return nil, 0, errors.New("ledger: rows without a cursor")
	}
	// The tree must not be behind the cursor, or the next start makes it anew.
	if err := w.tree.Sync(); err != nil {
		return nil, 0, err
	}
	keys := make([]rowKey, 0, len(newest))
	rows := make([]state.Row, 0, len(newest)+1)
	for key, value := range newest {
		data, err := encodeRow(value)
		if err != nil {
			return nil, 0, err
		}
		keys = append(keys, key)
		rows = append(rows, state.Row{Key: []byte(key), Value: data})
	}
	data, err := cbor.Marshal(last)
	if err != nil {
		return nil, 0, err
	}
	if condemned {
		data = nil // no start takes this for a cursor
	}
	rows = append(rows, state.Row{Key: []byte(cursorKey), Value: data})
	if err := file.Write(rows); err != nil {
		return nil, 0, err
	}
	return keys, last.Size, nil
}
