package bookdir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/archive"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// A copy that ends before the archive does lacks the commits that say why keys were
// destroyed since. A page is signed, so it proves that by itself: a copy that goes on
// enters these erasures anew with its first commit, and one that takes no commands
// keeps the pages (docs/adr/0022).

func beyondPath(dir string) string { return filepath.Join(dir, "beyond") }

// readBeyond reads the archive after a head, and gives the erasures there and the pages
// that hold them. What cannot be read is passed over: it is no part of the copy.
func (r Restore) readBeyond(ctx context.Context, from archivedLog, reader *archive.Reader, ring *keyring.Ring, h page.Head) (found []commit.Beyond, pages [][]byte, err error) {
	last, err := reader.Last(ctx)
	if err != nil || last <= h.Page {
		return nil, nil, err
	}
	digest, err := named(ring, digestKey)
	if err != nil {
		return nil, nil, err
	}
	defer clear(digest)
	codec := commit.NewCodec(from.info.Book, from.verifier.Epoch, ring, digest)
	for next, more := h.Page+1, true; more; next, more = reader.After(next) {
		for stored, err := range reader.Read(ctx, next, last) {
			if errors.Is(err, eventstore.ErrGap) {
				r.Log.Warn("pages beyond the end of the copy cannot be read: who is erased there alone stays unknown", "page", next, "error", err)
				break
			}
			if err != nil {
				return nil, nil, err
			}
			next = stored.Number + 1
			erased, err := beyondIn(codec, from.verifier, stored)
			if err != nil {
				r.Log.Warn("a page beyond the end of the copy is damaged: who is erased there alone stays unknown", "page", stored.Number, "error", err)
			} else if len(erased) > 0 {
				found, pages = append(found, erased...), append(pages, stored.Body)
			}
		}
	}
	return found, pages, nil
}

// beyondIn gives the erasures in a page, whose signature vouches for it.
func beyondIn(codec *commit.Codec, v *page.Verifier, stored eventstore.Page) ([]commit.Beyond, error) {
	opened, err := v.Open(stored.Body)
	if err != nil {
		return nil, page.At(err, stored.Number)
	}
	return codec.Erasures(opened)
}

// carried are the erasures as the first commit of an epoch enters them.
func carried(beyond []commit.Beyond) (erased []book.Erased) {
	for _, e := range beyond {
		erased = append(erased, book.Erased{Customer: e.Customer, KeyDestroyed: e.Event})
	}
	return erased
}

// keepBeyond keeps the pages for each later opening of a copy.
func keepBeyond(dir string, pages [][]byte) error {
	if len(pages) == 0 {
		return nil
	}
	data, err := json.Marshal(pages)
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return writeDurably(beyondPath(dir), data, 0o600)
}

// erasedBeyond are the erasures beyond the end of the log, of a copy that is being
// made or takes no commands. It needs the codec.
func (l *link) erasedBeyond(v *page.Verifier) (found []commit.Beyond, err error) {
	if !l.info.ReadOnly || l.options.beyond != nil {
		return l.options.beyond, nil
	}
	data, err := os.ReadFile(beyondPath(l.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	var pages [][]byte
	if err := json.Unmarshal(data, &pages); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", commit.ErrNotErased, beyondPath(l.dir), err)
	}
	for _, body := range pages {
		erased, err := beyondIn(l.codec, v, eventstore.Page{Body: body})
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", commit.ErrNotErased, beyondPath(l.dir), err)
		}
		found = append(found, erased...)
	}
	return found, nil
}
