package transparency

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// tiles makes the tiles of the test log of a size.
func tiles(t *testing.T, size uint64) (map[string][]byte, page.Head) {
	t.Helper()
	files := map[string][]byte{}
	tiles := NewTiles(func(path string, data []byte) error {
		files[path] = bytes.Clone(data)
		return nil
	})
	for p := range size {
		if err := tiles.Append(page.EntryHash(commitAt(p))); err != nil {
			t.Fatal(err)
		}
	}
	if err := tiles.Flush(); err != nil {
		t.Fatal(err)
	}
	return files, tiles.Head()
}

// reader reads tiles of height 8 by the paths of C2SP.
type reader struct {
	files map[string][]byte
	t     *testing.T
}

func (r reader) Height() int { return 8 }

func (r reader) ReadTiles(tiles []tlog.Tile) (out [][]byte, err error) {
	for _, tile := range tiles {
		path := fmt.Sprintf("tile/%d/%s", tile.L, tileNumber(uint64(tile.N)))
		data, found := r.files[path]
		for w := tile.W; !found && w < 256; w++ {
			data, found = r.files[fmt.Sprintf("%s.p/%d", path, w)]
		}
		if !found {
			r.t.Errorf("no %s of width %d", path, tile.W)
			return nil, fmt.Errorf("no %s", path)
		}
		out = append(out, data[:tile.W*tlog.HashSize])
	}
	return out, nil
}

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

// The Go team's reader of tiles proves every entry from ours.
func TestTilesAreReadByOthers(t *testing.T) {
	for _, size := range []uint64{1, 2, 255, 256, 257, 511, 512, 1000, 65536, 65536 + 259} {
		files, head := tiles(t, size)
		hashes := tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: head.Root}, reader{files, t})
		for _, position := range []uint64{0, size / 3, size / 2, size - 1} {
			proof, err := tlog.ProveRecord(int64(size), int64(position), hashes)
			if err != nil {
				t.Fatalf("position %d of %d: %v", position, size, err)
			}
			if err := tlog.CheckRecord(proof, int64(size), head.Root, int64(position), page.LeafHash(commitAt(position))); err != nil {
				t.Errorf("position %d of %d: %v", position, size, err)
			}
			entry := page.EntryHash(commitAt(position))
			bundle := files["tile/entries/"+tileNumber(position/256)]
			if bundle == nil {
				bundle = files[fmt.Sprintf("tile/entries/%s.p/%d", tileNumber(position/256), size%256)]
			}
			at := position % 256 * 34
			if !bytes.Equal(bundle[at:at+34], append([]byte{0, 32}, entry[:]...)) {
				t.Errorf("entry %d of %d is not in its bundle", position, size)
			}
		}
	}
}

func TestTileNumbers(t *testing.T) {
	for n, want := range map[uint64]string{0: "000", 999: "999", 1000: "x001/000", 1234067: "x001/x234/067"} {
		if got := tileNumber(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
