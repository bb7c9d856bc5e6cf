package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

// segmentTarget is the size, in bytes of pages, at which a segment takes no more.
const segmentTarget = 4 << 20

// Writer adds to a log's archive. It need not be able to read it.
type Writer struct {
	Log
	To Recipients
}

// Begin makes room for a log's archive where there is none yet. Without it nothing can
// be written there.
func (w Writer) Begin(ctx context.Context) error { return w.Place.Begin(ctx, w.name(segments)) }

// Public replaces what is in clear: what the book is, in a form of the caller's,
// and the log's signed list of keys. It comes before the pages that a new key of
// the list signs.
func (w Writer) Public(ctx context.Context, book, keys []byte) error {
	if err := w.Place.Replace(ctx, w.name(bookObject), book); err != nil {
		return err
	}
	return w.Place.Replace(ctx, w.name(keysObject), keys)
}

// Ring replaces the key ring. It comes before the pages that use its keys; and
// what it replaces may hold keys that were destroyed since.
func (w Writer) Ring(ctx context.Context, c keyring.Copy) error {
	plain := frame(frame(frame(nil, []byte(ringMagic+"\n"+w.Origin+"\n")), c.Root), c.File)
	defer clear(plain)
	sealed, err := w.To.seal(plain)
	if err != nil {
		return err
	}
	return w.Place.Replace(ctx, w.name(ringObject), sealed)
}

// Pages writes the pages after one head up to another, which were acknowledged, as
// segments that carry a checkpoint of the latter. written, unless nil, is told
// after each segment how far the archive reaches; from there a later call goes on.
// Each page is opened by the verifier; whether all of them make the log is for
// whoever reads the archive to check.
func (w Writer) Pages(ctx context.Context, s eventstore.Reader, v *page.Verifier, from, to page.Head, checkpoint []byte, written func(page.Head) error) error {
	batch := content{origin: w.Origin, checkpoint: checkpoint}
	size := 0
	at := from
	put := func() error {
		if err := w.put(ctx, batch, at); err != nil {
			return err
		}
		batch.pages, size = nil, 0
		if written == nil {
			return nil
		}
		return written(at)
	}
	for stored, err := range s.Read(ctx, from.Page+1, to.Page) {
		if err != nil {
			return err
		}
		opened, err := v.Open(stored.Body)
		if err != nil {
			return page.At(err, stored.Number)
		}
		if opened.Page != stored.Number || stored.Number != at.Page+1 || opened.OldSize != at.Size {
			return fmt.Errorf("archive: page %d of the log does not follow page %d", stored.Number, at.Page)
		}
		if size > 0 && size+len(stored.Body) > segmentTarget {
			if err := put(); err != nil {
				return err
			}
		}
		batch.pages, size, at = append(batch.pages, stored), size+len(stored.Body), opened.Head
	}
	if at != to {
		return fmt.Errorf("archive: the log ends at page %d, and page %d was acknowledged", at.Page, to.Page)
	}
	if size == 0 {
		return nil
	}
	return put()
}

// put writes a segment. One of the same pages that is there already was written by
// a call that was cut short before it could say so: it is replaced by nothing.
func (w Writer) put(ctx context.Context, c content, last page.Head) error {
	sealed, err := w.To.seal(c.encode())
	if err != nil {
		return err
	}
	err = w.Place.Put(ctx, w.name(segmentOf(c.pages[0].Number, last).Name()), sealed)
	if errors.Is(err, ErrExists) {
		return nil
	}
	return err
}

// OpenRing gives the archived key ring. The receiver wipes its root key. ErrRing where
// it is damaged or missing.
func (l Log) OpenRing(ctx context.Context, ids Identities) (keyring.Copy, error) {
	c, err := l.openRing(ctx, ids)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrRing, err)
	}
	return c, err
}

func (l Log) openRing(ctx context.Context, ids Identities) (keyring.Copy, error) {
	sealed, err := l.Place.Get(ctx, l.name(ringObject))
	if err != nil {
		return keyring.Copy{}, err
	}
	plain, err := ids.open(sealed)
	if err != nil {
		return keyring.Copy{}, fmt.Errorf("%s: %w", ringObject, err)
	}
	c, err := decodeRing(plain, l.Origin)
	if err != nil {
		clear(plain)
		return keyring.Copy{}, fmt.Errorf("%s: %w", ringObject, err)
	}
	return c, nil
}

// decodeRing reads what Ring seals.
func decodeRing(plain []byte, origin string) (keyring.Copy, error) {
	head, rest, err := cut(plain, len(plain))
	if err != nil {
		return keyring.Copy{}, err
	}
	if !bytes.Equal(head, []byte(ringMagic+"\n"+origin+"\n")) {
		return keyring.Copy{}, fmt.Errorf("%w: not the archived ring of %s", ErrDamaged, origin)
	}
	var c keyring.Copy
	if c.Root, rest, err = cut(rest, keyring.KeySize); err != nil {
		return keyring.Copy{}, err
	}
	if c.File, rest, err = cut(rest, len(rest)); err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d bytes after its end", ErrDamaged, len(rest))
	}
	return c, err
}
