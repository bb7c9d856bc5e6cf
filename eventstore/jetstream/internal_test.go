package jetstream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
)

var someBook = uuid.MustParse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")

// TestServerOptions holds what no test can observe from outside: above all that
// every page is flushed before it is acknowledged.
func TestServerOptions(t *testing.T) {
	u, err := newUsers(nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := serverOptions(Config{Dir: "dir", Book: someBook}, u, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !o.SyncAlways || !o.JetStream || o.StoreDir != "dir" {
		t.Errorf("the server does not flush with every page: %+v", o)
	}
	if o.Host != "127.0.0.1" || !o.DontListen {
		t.Errorf("the server listens at %s, though there is no reader (%t)", o.Host, o.DontListen)
	}
	if o.MaxPayload < maxPage+headerRoom {
		t.Errorf("the server takes %d bytes, too few for a page", o.MaxPayload)
	}
	if len(o.Accounts) != 2 || len(o.Nkeys) != 3 || len(o.Users) != 0 || o.HTTPPort != 0 || o.Cluster.Port != 0 {
		t.Errorf("there are more ways into the server than the three keys: %+v", o)
	}
}

// TestSettle flushes the folders once in the beginning, and the messages' at
// each new block.
func TestSettle(t *testing.T) {
	root := t.TempDir()
	dir := messageDir(root, someBook)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var flushed []string
	b := blockFiles{dir: dir, flush: func(dir string) error {
		flushed = append(flushed, filepath.Base(dir))
		return syncDir(dir)
	}}
	settles := func(what string, want ...string) {
		t.Helper()
		flushed = nil
		if err := b.settle(); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(flushed) != fmt.Sprint(want) {
			t.Errorf("%s: flushed %v, want %v", what, flushed, want)
		}
	}
	block := func(number int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(number)+blockSuffix), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"msgs", StreamName(someBook), "streams", account, "jetstream", filepath.Base(root)}
	settles("at first", all...)
	settles("without a block")
	block(1)
	settles("the first block", "msgs")
	settles("no other block")
	block(2)
	block(3)
	settles("two blocks", "msgs")
	b.forget()
	settles("after a restart", all...)
	block(4)
	settles("the fourth block", "msgs")
	settles("no other block")
}

// TestMarkerStays where the server wrote, and not its index last.
func TestMarkerStays(t *testing.T) {
	for _, c := range []struct {
		what  string
		index time.Duration // after the newest block
		// wrote changes files after the start.
		wrote func(block, index string) error
		clean bool
	}{
		{"newer", time.Second, nil, true},
		{"older, as it was", -time.Second, nil, true},
		{"older, and the block grew", -time.Second, func(block, _ string) error {
			return os.WriteFile(block, []byte("block and more"), 0o600)
		}, false},
		{"older, and the block was written over", -time.Second, func(block, _ string) error {
			return os.WriteFile(block, []byte("BLOCK"), 0o600)
		}, false},
		{"older, and the block was replaced", -time.Second, func(block, _ string) error {
			info, err := os.Stat(block)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(block+".tmp", []byte("BLOCK"), 0o600),
				os.Chtimes(block+".tmp", info.ModTime(), info.ModTime()), os.Rename(block+".tmp", block))
		}, false},
		{"older than a new block", time.Second, func(block, _ string) error {
			after := time.Now().Add(time.Minute)
			next := filepath.Join(filepath.Dir(block), "2"+blockSuffix)
			return errors.Join(os.WriteFile(next, []byte("block"), 0o600), os.Chtimes(next, after, after))
		}, false},
		{"gone", -time.Second, func(_, index string) error { return os.Remove(index) }, false},
	} {
		root := t.TempDir()
		dir := messageDir(root, someBook)
		block, index := filepath.Join(dir, "1"+blockSuffix), filepath.Join(dir, indexFile)
		at := time.Now().Add(-time.Hour)
		if err := errors.Join(
			os.MkdirAll(dir, 0o700),
			os.WriteFile(block, []byte("block"), 0o600), os.Chtimes(block, at, at),
			os.WriteFile(index, []byte("index"), 0o600), os.Chtimes(index, at.Add(c.index), at.Add(c.index)),
			setMarker(root),
		); err != nil {
			t.Fatal(err)
		}
		started, err := readEnds(root)
		if err != nil {
			t.Fatal(err)
		}
		if c.wrote != nil {
			if err := c.wrote(block, index); err != nil {
				t.Fatal(err)
			}
		}
		if err := clearMarker(root, started); (err == nil) != c.clean {
			t.Errorf("with an index that is %s: %v", c.what, err)
		}
		path, err := PreserveUnclean(root, filepath.Join(root, "side"))
		if err != nil || (path == "") != c.clean {
			t.Errorf("with an index that is %s: copied to %q, %v", c.what, path, err)
		}
	}
}
