package bookdir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
)

const (
	// cosignEvery is how often a holder looks for a head to be cosigned.
	cosignEvery = 500 * time.Millisecond
	// cosignWithin bounds one question to a witness.
	cosignWithin = 5 * time.Second
	// cosignLast bounds the questions for the last head, while the book is closed.
	cosignLast = 2 * time.Second
)

// asked is a witness and what is known of it.
type asked struct {
	key    transparency.WitnessKey
	client witness.Client
	// last is the size that it cosigned last, as far as is known.
	last uint64
}

// witnesses are those of the book, each with where it is.
func witnesses(dir string, i Info) ([]*asked, error) {
	places, err := ReadPlaces(dir)
	if err != nil {
		return nil, err
	}
	var all []*asked
	for _, key := range i.Witnesses().Keys {
		client := witness.Client{URL: places[key.String()], HTTP: &http.Client{Timeout: cosignWithin}}
		all = append(all, &asked{key: key, client: client})
	}
	return all, nil
}

// provable is what a cosigner asks of the book.
type provable interface {
	Durable() page.Head
	ProveTree(old, size uint64) (tlog.TreeProof, error)
}

// cosigner has the witnesses cosign the book's newest checkpoint, beside its
// commands: a receipt never waits for it.
type cosigner struct {
	link      *link
	book      provable
	witnesses []*asked
	done      page.Head // what the quorum has cosigned
}

// cosign starts the cosigner of a holder; it ends with the link, after a last try
// for the head that was reached.
func (l *link) cosign(book provable) error {
	all, err := witnesses(l.dir, l.info)
	if err != nil || len(all) == 0 {
		return err
	}
	c := &cosigner{link: l, book: book, witnesses: all}
	if kept, err := ReadCosigned(l.dir, l.info); err == nil {
		c.done = kept.Head
		for _, w := range all {
			w.last = kept.Head.Size
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(cosignEvery):
				c.round(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	l.onClose(func(ctx context.Context) error {
		stop()
		<-ended
		ctx, cancel := context.WithTimeout(ctx, cosignLast)
		defer cancel()
		c.round(ctx)
		return nil
	})
	return nil
}

// round has the newest head cosigned, unless it is.
func (c *cosigner) round(ctx context.Context) {
	h := c.book.Durable()
	h.Page = 0
	if h.Size == 0 || h == c.done {
		return
	}
	checkpoint, err := c.link.signNewest(h)
	if checkpoint == nil {
		c.link.options.Log.Warn("the checkpoint could not be signed for the witnesses", "error", err)
		return
	}
	if err != nil {
		c.link.options.Log.Warn("the newest checkpoint could not be kept", "error", err)
	}
	cosigned, err := transparency.AddCosignatures(checkpoint, c.ask(ctx, h, checkpoint)...)
	if err == nil {
		_, err = c.link.info.Witnesses().Check(cosigned)
	}
	if err == nil {
		err = writeDurably(cosignedPath(c.link.dir), cosigned, 0o644)
	}
	if err != nil {
		c.link.options.Log.Debug("the checkpoint is not cosigned yet", "size", h.Size, "error", err)
		return
	}
	c.done = h
}

// ask asks every witness, side by side, and gives the lines of those that cosigned.
func (c *cosigner) ask(ctx context.Context, h page.Head, checkpoint []byte) [][]byte {
	lines := make([][]byte, len(c.witnesses))
	var group sync.WaitGroup
	for i, w := range c.witnesses {
		group.Go(func() {
			line, err := c.askOne(ctx, w, h, checkpoint)
			if err != nil {
				c.tell(w, err)
				return
			}
			lines[i] = line
		})
	}
	group.Wait()
	return slices.DeleteFunc(lines, func(line []byte) bool { return line == nil })
}

// errContradicts means that a witness has cosigned what the log does not have.
var errContradicts = errors.New("it has cosigned what the log does not have")

// askOne asks a witness, and once more where it says what it did not know or what
// was not known of it.
func (c *cosigner) askOne(ctx context.Context, w *asked, h page.Head, checkpoint []byte) ([]byte, error) {
	for again := false; ; again = true {
		line, err := c.submit(ctx, w, h, checkpoint)
		var conflict *witness.Conflict
		var refused *witness.Refused
		switch {
		case err == nil:
			w.last = h.Size
			return line, nil
		case errors.As(err, &conflict) && (conflict.Size > h.Size || again || conflict.Size == w.last):
			return nil, fmt.Errorf("%w: size %d, where the log has %d", errContradicts, conflict.Size, h.Size)
		case errors.As(err, &conflict):
			w.last = conflict.Size
		case errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity:
			return nil, fmt.Errorf("%w: %w", errContradicts, err)
		case errors.As(err, &refused) && !again && (refused.Status == http.StatusNotFound || refused.Status == http.StatusForbidden):
			if err := w.client.AddKeys(ctx, c.link.info.signed); err != nil {
				return nil, err
			}
			w.last = 0
		default:
			return nil, err
		}
	}
}

func (c *cosigner) submit(ctx context.Context, w *asked, h page.Head, checkpoint []byte) ([]byte, error) {
	r := witness.Request{Old: min(w.last, h.Size), Checkpoint: checkpoint}
	if r.Old > 0 && r.Old < h.Size {
		var err error
		if r.Proof, err = c.book.ProveTree(r.Old, h.Size); err != nil {
			return nil, err
		}
	}
	line, err := w.client.AddCheckpoint(ctx, r)
	if err != nil {
		return nil, err
	}
	both, err := transparency.AddCosignatures(checkpoint, line)
	if err != nil {
		return nil, err
	}
	if at, err := w.key.Cosigned(both); err != nil || at.IsZero() {
		return nil, errors.Join(err, fmt.Errorf("bookdir: what it answers is not its cosignature"))
	}
	return line, nil
}

// tell tells what a witness answered. One that is away is no news; one that knows
// more than the log has is.
func (c *cosigner) tell(w *asked, err error) {
	if errors.Is(err, errContradicts) {
		c.link.options.Log.Error("a witness contradicts the log: it was set back or rewritten", "witness", w.key.Name, "error", err)
		return
	}
	c.link.options.Log.Debug("a witness did not cosign", "witness", w.key.Name, "error", err)
}

// newestPath is where the newest checkpoint stands that witnesses were asked to
// cosign, whether they did or not: verification asks them by it, without a key.
func newestPath(dir string) string { return filepath.Join(dir, "checkpoint") }

// signNewest signs a checkpoint and keeps it there. It gives one that could not be
// kept, too.
func (l *link) signNewest(h page.Head) ([]byte, error) {
	h.Page = 0
	checkpoint, err := l.signs.Checkpoint(h)
	if err != nil {
		return nil, err
	}
	return checkpoint, writeDurably(newestPath(l.dir), checkpoint, 0o644)
}

// newest reads and checks that checkpoint; nil where there is none.
func (l *Log) newest() ([]byte, page.Head, error) {
	text, err := os.ReadFile(newestPath(l.link.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, page.Head{}, nil
	}
	if err != nil {
		return nil, page.Head{}, fmt.Errorf("bookdir: the newest checkpoint: %w", err)
	}
	h, err := l.Verifier.Checkpoint(text)
	if errors.Is(err, page.ErrKeyRange) {
		return nil, page.Head{}, nil // by a key that was compromised since
	}
	return text, h, err
}
