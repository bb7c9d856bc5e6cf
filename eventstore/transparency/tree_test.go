package transparency

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// leafN is the n-th of endless different leaves.
func leafN(n int) tlog.Hash {
	return page.EntryLeaf([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(n))))
}

func leavesN(from, to int) []tlog.Hash {
	var out []tlog.Hash
	for n := from; n < to; n++ {
		out = append(out, leafN(n))
	}
	return out
}

// eachKind runs a test on a tree in memory and on one in a file.
func eachKind(t *testing.T, test func(t *testing.T, fresh func() *Tree)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemory) })
	t.Run("file", func(t *testing.T) {
		n := 0
		test(t, func() *Tree {
			n++
			tree, err := CreateFile(filepath.Join(t.TempDir(), fmt.Sprint("tree", n)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { tree.Close() })
			return tree
		})
	})
}

func TestTreeAgreesWithTheNaiveOne(t *testing.T) {
	eachKind(t, func(t *testing.T, fresh func() *Tree) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(1, 200).Draw(t, "size")
			tree, leaves := fresh(), leavesN(0, n)
			for at := 0; at < n; {
				step := rapid.IntRange(1, n-at).Draw(t, "step")
				if err := tree.Append(leaves[at : at+step]...); err != nil {
					t.Fatal(err)
				}
				at += step
				if rapid.Bool().Draw(t, "flush") {
					forget(t, tree)
				}
			}
			size := rapid.IntRange(1, n).Draw(t, "proof size")
			checkAgainstNaive(t, tree, leaves, size, rapid.IntRange(0, size-1).Draw(t, "position"))
			old := rapid.IntRange(1, size).Draw(t, "old size")
			proof, err := tree.ProveTree(uint64(old), uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(proof, naiveProof(old, leaves[:size], true)) {
				t.Fatalf("consistency of %d with %d", old, size)
			}
		})
	})
}

func checkAgainstNaive(t *rapid.T, tree *Tree, leaves []tlog.Hash, size, position int) {
	root, err := tree.RootAt(uint64(size))
	if err != nil || root != naiveRoot(leaves[:size]) {
		t.Fatalf("root at %d: %v", size, err)
	}
	proof, err := tree.ProveRecord(uint64(position), uint64(size))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(proof, naivePath(position, leaves[:size])) {
		t.Fatalf("inclusion of %d in %d", position, size)
	}
	if leaf, err := tree.Leaf(uint64(position)); err != nil || leaf != leaves[position] {
		t.Fatalf("leaf %d: %v", position, err)
	}
	if tree.Root() != naiveRoot(leaves) || tree.Size() != uint64(len(leaves)) {
		t.Fatalf("size %d, root %v", tree.Size(), tree.Root())
	}
}

// forget makes a file's tree keep nothing in memory, as a large one does.
func forget(t *rapid.T, tree *Tree) {
	if err := tree.Flush(); err != nil {
		t.Fatal(err)
	}
	if tree.file != nil {
		tree.first += int64(len(tree.tail))
		tree.tail = tree.tail[:0]
	}
}

func TestTruncateTakesLeavesBack(t *testing.T) {
	eachKind(t, func(t *testing.T, fresh func() *Tree) {
		rapid.Check(t, func(t *rapid.T) {
			tree := fresh()
			var leaves []tlog.Hash
			for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
				if rapid.Bool().Draw(t, "append") {
					more := leavesN(1000*i, 1000*i+rapid.IntRange(0, 40).Draw(t, "leaves"))
					leaves = append(leaves, more...)
					if err := tree.Append(more...); err != nil {
						t.Fatal(err)
					}
				} else {
					size := rapid.IntRange(0, len(leaves)).Draw(t, "truncate to")
					leaves = leaves[:size]
					if err := tree.Truncate(uint64(size)); err != nil {
						t.Fatal(err)
					}
				}
				if rapid.IntRange(0, 3).Draw(t, "flush") == 0 {
					forget(t, tree)
				}
				if tree.Root() != naiveRoot(leaves) || tree.Size() != uint64(len(leaves)) {
					t.Fatalf("step %d: size %d, root %v", i, tree.Size(), tree.Root())
				}
			}
			for i := range leaves {
				checkAgainstNaive(t, tree, leaves, len(leaves), i)
			}
		})
	})
}

func TestTheEdgeTellsTheRootBeforehand(t *testing.T) {
	tree := NewMemory()
	if err := tree.Append(leavesN(0, 5)...); err != nil {
		t.Fatal(err)
	}
	edge := tree.Edge()
	appendAll(&edge, leavesN(5, 9))
	if tree.Size() != 5 || tree.Root() != naiveRoot(leavesN(0, 5)) {
		t.Error("the tree has changed")
	}
	if edge.Root() != naiveRoot(leavesN(0, 9)) {
		t.Error("the tentative root is another")
	}
}

func TestReopenedAtAnEarlierHead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	leaves := leavesN(0, 100)
	if err := tree.Append(leaves...); err != nil {
		t.Fatal(err)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{100, 99, 64, 63, 7, 1, 0} {
		head := page.Head{Size: uint64(size), Root: naiveRoot(leaves[:size])}
		tree, err := OpenFile(path, head)
		if err != nil {
			t.Fatalf("at %d: %v", size, err)
		}
		for p := range size {
			if proof, err := tree.ProveRecord(uint64(p), uint64(size)); err != nil || !slices.Equal(proof, naivePath(p, leaves[:size])) {
				t.Fatalf("position %d of %d: %v", p, size, err)
			}
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != tlog.StoredHashCount(int64(size))*hashSize {
			t.Errorf("at %d the file has %d bytes", size, info.Size())
		}
	}
}

func TestATreeThatDoesNotFitIsDamaged(t *testing.T) {
	leaves := leavesN(0, 21)
	head := page.Head{Size: 21, Root: naiveRoot(leaves)}
	fresh := func() string {
		path := filepath.Join(t.TempDir(), "tree")
		tree, err := CreateFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tree.Append(leaves...), tree.Sync(), tree.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none"), head); !errors.Is(err, ErrTreeDamaged) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	other := head
	other.Root[5] ^= 1
	path := fresh()
	if _, err := OpenFile(path, other); !errors.Is(err, ErrTreeDamaged) {
		t.Errorf("another root: %v", err)
	}
	if tree, err := OpenFile(path, head); err != nil {
		t.Errorf("a refused opening has changed the file: %v", err)
	} else {
		tree.Close()
	}
	if err := os.Truncate(path, (tlog.StoredHashCount(21)-1)*hashSize); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, head); !errors.Is(err, ErrTreeDamaged) {
		t.Errorf("cut: %v", err)
	}
	if _, err := OpenFile(path, page.Head{Size: page.MaxSize + 1}); !errors.Is(err, ErrTreeSize) {
		t.Errorf("out of bounds: %v", err)
	}
}

// TestAFlippedBitGivesNoProof flips bits anywhere in the file: the tree either
// does not open, or gives right proofs only.
func TestAFlippedBitGivesNoProof(t *testing.T) {
	const size = 13
	leaves := leavesN(0, size)
	head := page.Head{Size: size, Root: naiveRoot(leaves)}
	path := filepath.Join(t.TempDir(), "tree")
	tree, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tree.Append(leaves...), tree.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 0; at < len(content); at += 16 {
		content[at] ^= 1
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		content[at] ^= 1
		tree, err := OpenFile(path, head)
		if errors.Is(err, ErrTreeDamaged) {
			refused++
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		for p := range size {
			proof, err := tree.ProveRecord(uint64(p), size)
			if errors.Is(err, ErrTreeDamaged) {
				refused++
			} else if err != nil || !slices.Equal(proof, naivePath(p, leaves)) {
				t.Fatalf("byte %d damaged: a proof for %d (%v)", at, p, err)
			}
			consistency, err := tree.ProveTree(uint64(p+1), size)
			if errors.Is(err, ErrTreeDamaged) {
				refused++
			} else if err != nil || !slices.Equal(consistency, naiveProof(p+1, leaves, true)) {
				t.Fatalf("byte %d damaged: a proof from size %d (%v)", at, p+1, err)
			}
		}
		tree.Close()
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

func TestSizesOutOfBounds(t *testing.T) {
	tree := NewMemory()
	if err := tree.Append(leavesN(0, 3)...); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"position":     second(tree.ProveRecord(3, 3)),
		"size":         second(tree.ProveRecord(0, 4)),
		"nothing":      second(tree.ProveRecord(0, 0)),
		"from nothing": second(tree.ProveTree(0, 3)),
		"backwards":    second(tree.ProveTree(3, 2)),
		"beyond":       second(tree.ProveTree(1, 4)),
		"root":         second(tree.RootAt(4)),
		"leaf":         second(tree.Leaf(3)),
		"truncate":     tree.Truncate(4),
	} {
		if !errors.Is(err, ErrTreeSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestOneAppendsSeveralProve also runs a file's tree past what it keeps in
// memory.
func TestOneAppendsSeveralProve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree")
	tree, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const total, step = 3 * tailMax / 4, 512 // two hashes a leaf: beyond tailMax
	if err := tree.Append(leafN(0)); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for r := range 3 {
		readers.Go(func() {
			for i := r; ; i += 997 {
				select {
				case <-stop:
					return
				default:
				}
				size := tree.Size()
				root, err := tree.RootAt(size)
				if err != nil {
					t.Error(err)
					return
				}
				position := uint64(i) % size
				proof, err := tree.ProveRecord(position, size)
				if err != nil {
					t.Error(err)
					return
				}
				if err := tlog.CheckRecord(proof, int64(size), root, int64(position), leafN(int(position))); err != nil {
					t.Errorf("position %d of %d: %v", position, size, err)
					return
				}
			}
		})
	}
	for n := 1; n < total; n += step {
		if err := tree.Append(leavesN(n, n+step)...); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
	if len(tree.tail) > tailMax+2*step {
		t.Errorf("%d hashes are in memory", len(tree.tail))
	}
	head := page.Head{Size: tree.Size(), Root: tree.Root()}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if tree, err = OpenFile(path, head); err != nil {
		t.Fatal(err)
	}
	tree.Close()
}

func BenchmarkAppendAndProveAPage(b *testing.B) {
	path := filepath.Join(b.TempDir(), "tree")
	tree, err := CreateFile(path)
	if err != nil {
		b.Fatal(err)
	}
	defer tree.Close()
	if err := tree.Append(leavesN(0, 1<<18)...); err != nil {
		b.Fatal(err)
	}
	leaves := leavesN(0, 64)
	for b.Loop() {
		old := tree.Size()
		if err := tree.Append(leaves...); err != nil {
			b.Fatal(err)
		}
		for p := range uint64(64) {
			if _, err := tree.ProveRecord(old+p, old+64); err != nil {
				b.Fatal(err)
			}
		}
	}
}
