package transparency

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// tileWidth is how many hashes a full tile of C2SP tlog-tiles has.
const tileWidth = 256

// Tiles turns the entries of a log, in order, into the files of C2SP tlog-tiles:
// tile/<level>/<n> with hashes and tile/entries/<n> with the entries, which are
// the SHA-256 of the commits. Memory does not grow with the log. The checkpoint
// is the caller's to put beside them, after Flush. After an error of put they are of
// no more use: Head may count what was not stored.
type Tiles struct {
	// put stores a file under a path; a full tile never changes.
	put func(path string, data []byte) error
	// levels are the hashes, and entries the entries, of the tiles that are not
	// full; full counts the full ones of each.
	levels  [][]tlog.Hash
	full    []uint64
	entries []byte
	edge    page.Edge
}

// NewTiles begins at the first entry of a log.
func NewTiles(put func(path string, data []byte) error) *Tiles { return &Tiles{put: put} }

// Head is the size and root of the entries so far.
func (t *Tiles) Head() page.Head { return page.Head{Size: t.edge.Size(), Root: t.edge.Root()} }

// Append adds an entry, and stores the tiles that it fills.
func (t *Tiles) Append(entry [sha256.Size]byte) error {
	leaf := page.EntryLeaf(entry)
	bundle := t.edge.Size() / tileWidth
	t.edge.Append(leaf, nil)
	t.entries = append(append(t.entries, 0, sha256.Size), entry[:]...)
	if t.edge.Size()%tileWidth == 0 {
		if err := t.put("tile/entries/"+tileNumber(bundle), t.entries); err != nil {
			return err
		}
		t.entries = t.entries[:0]
	}
	return t.add(0, leaf)
}

// add adds a hash to a level, and the root of a tile that it fills to the next.
func (t *Tiles) add(level int, h tlog.Hash) error {
	if level == len(t.levels) {
		t.levels, t.full = append(t.levels, nil), append(t.full, 0)
	}
	t.levels[level] = append(t.levels[level], h)
	if len(t.levels[level]) < tileWidth {
		return nil
	}
	if err := t.put(fmt.Sprintf("tile/%d/%s", level, tileNumber(t.full[level])), tileBytes(t.levels[level])); err != nil {
		return err
	}
	root := fullRoot(t.levels[level])
	t.levels[level] = t.levels[level][:0]
	t.full[level]++
	return t.add(level+1, root)
}

// Flush stores the tiles that are not full. More entries can follow.
func (t *Tiles) Flush() error {
	for level, hashes := range t.levels {
		if len(hashes) == 0 {
			continue
		}
		path := fmt.Sprintf("tile/%d/%s.p/%d", level, tileNumber(t.full[level]), len(hashes))
		if err := t.put(path, tileBytes(hashes)); err != nil {
			return err
		}
	}
	if width := t.edge.Size() % tileWidth; width > 0 {
		return t.put(fmt.Sprintf("tile/entries/%s.p/%d", tileNumber(t.edge.Size()/tileWidth), width), t.entries)
	}
	return nil
}

func tileBytes(hashes []tlog.Hash) []byte {
	out := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		out = append(out, hashes[i][:]...)
	}
	return out
}

// fullRoot is the root over the hashes of a full tile.
func fullRoot(hashes []tlog.Hash) tlog.Hash {
	level := append([]tlog.Hash(nil), hashes...)
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

// tileNumber is a tile's number in groups of three digits, all but the last with
// an x before: 1234067 is x001/x234/067.
func tileNumber(n uint64) string {
	groups := []string{fmt.Sprintf("%03d", n%1000)}
	for n /= 1000; n > 0; n /= 1000 {
		groups = append([]string{fmt.Sprintf("x%03d", n%1000)}, groups...)
	}
	return strings.Join(groups, "/")
}
