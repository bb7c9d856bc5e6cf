package jetstream

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
)

// messageDir is where the server keeps the blocks of the book's stream.
func messageDir(dir string, book uuid.UUID) string {
	return filepath.Join(dir, server.JetStreamStoreDir, account, "streams", StreamName(book), "msgs")
}

const (
	blockSuffix = ".blk"
	indexFile   = "index.db"
)

// blockFiles makes the names of block files durable. The server flushes what it
// writes into a block, but not the folder that names a new one.
type blockFiles struct {
	dir   string
	flush func(dir string) error // syncDir

	mu    sync.Mutex
	known bool
	next  int // the number of the block that the server will begin next
}

// forget makes settle start over, as the server may have.
func (b *blockFiles) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = false
}

// settle flushes the folder if there is a new block in it.
func (b *blockFiles) settle() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return b.begin()
	}
	for fresh := false; ; fresh = true {
		_, err := os.Stat(filepath.Join(b.dir, strconv.Itoa(b.next)+blockSuffix))
		switch {
		case err == nil:
			b.next++
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look for new blocks: %w", err)
		case fresh:
			return b.flush(b.dir)
		default:
			return nil
		}
	}
}

// begin flushes the folder and those above it up to the server's own, which
// the server made without flushing.
func (b *blockFiles) begin() error {
	blocks, err := listBlocks(b.dir)
	if err != nil {
		return err
	}
	dir := b.dir
	for range 6 { // msgs, <stream>, streams, <account>, jetstream, Config.Dir
		if err := b.flush(dir); err != nil {
			return err
		}
		dir = filepath.Dir(dir)
	}
	b.next = 1
	if len(blocks) > 0 {
		b.next = blocks[len(blocks)-1] + 1
	}
	b.known = true
	return nil
}

// listBlocks gives the numbers of the blocks in a folder, in order.
func listBlocks(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list blocks: %w", err)
	}
	var blocks []int
	for _, entry := range entries {
		name, isBlock := strings.CutSuffix(entry.Name(), blockSuffix)
		if number, err := strconv.Atoi(name); isBlock && err == nil {
			blocks = append(blocks, number)
		}
	}
	slices.SortFunc(blocks, cmp.Compare[int])
	return blocks, nil
}

// syncAll makes every file and every name below a folder durable.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) {
			err = syncDir(path)
		}
		return err
	})
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flush a folder: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("flush a folder: %w", err)
	}
	return nil
}
