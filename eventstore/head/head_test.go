package head

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// at is a head that grows with n.
func at(epoch, n uint64) Head {
	return Head{Epoch: epoch, Head: page.Head{Page: n, Size: 3 * n, Root: page.EntryLeaf([32]byte{byte(n), byte(n >> 8)})}}
}

func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "head")
}

func create(tb testing.TB, path string, h Head) *File {
	tb.Helper()
	f, err := Create(path, h)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

func remember(tb testing.TB, f *File, h Head) {
	tb.Helper()
	if err := f.Remember(h); err != nil {
		tb.Fatal(err)
	}
}

// wantHead checks what Open and Read find in a file.
func wantHead(tb testing.TB, path string, want Head) {
	tb.Helper()
	got, err := Read(path)
	if err != nil || got != want {
		tb.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	f, err := Open(path)
	if err != nil {
		tb.Errorf("open: %v", err)
		return
	}
	defer f.Close()
	if f.Head() != want {
		tb.Errorf("opened %+v; want %+v", f.Head(), want)
	}
}

func TestGoldenVector(t *testing.T) {
	path := newPath(t)
	f := create(t, path, Head{Epoch: 1, Head: page.EmptyHead()})
	remember(t, f, at(1, 7))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "head.bin")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the bytes have changed: no book could be opened")
	}
	wantHead(t, golden, at(1, 7))
}

func TestRememberedAfterReopening(t *testing.T) {
	path := newPath(t)
	f := create(t, path, Head{Epoch: 1, Head: page.EmptyHead()})
	wantHead(t, path, Head{Epoch: 1, Head: page.EmptyHead()})
	for n := uint64(1); n < 6; n++ {
		remember(t, f, at(1, n))
		wantHead(t, path, at(1, n)) // with the file open: as after a kill
		if n%2 == 0 {
			if err := f.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantHead(t, path, at(1, 5))
	if err := f.Remember(at(1, 6)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestMissingIsRefusedAndNotMade(t *testing.T) {
	path := newPath(t)
	for _, open := range []func() error{
		func() error { _, err := Open(path); return err },
		func() error { _, err := Read(path); return err },
	} {
		err := open()
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%v", err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file was made anew in silence")
	}
}

func TestCreateKeepsWhatIsThere(t *testing.T) {
	path := newPath(t)
	f := create(t, path, at(1, 5))
	if _, err := Create(path, at(1, 1)); !errors.Is(err, ErrExists) {
		t.Errorf("%v", err)
	}
	if f.Head() != at(1, 5) {
		t.Error("the head has changed")
	}
	wantHead(t, path, at(1, 5))
}

func TestHeadsGoForwardOnly(t *testing.T) {
	path := newPath(t)
	f := create(t, path, at(2, 10))
	same := at(2, 10)
	otherRoot, otherRootLater, smaller := same, same, at(2, 11)
	otherRoot.Root[0] ^= 1
	otherRootLater.Page, otherRootLater.Root = 11, otherRoot.Root
	smaller.Size = same.Size - 1
	for _, bad := range []Head{at(2, 9), at(1, 11), otherRoot, otherRootLater, smaller, {}} {
		if err := f.Remember(bad); !errors.Is(err, ErrBackwards) {
			t.Errorf("%+v after %+v: %v", bad, same, err)
		}
	}
	remember(t, f, same)
	wantHead(t, path, same)
	barrier := same
	barrier.Page = 11
	remember(t, f, barrier)
	if err := f.Remember(same); !errors.Is(err, ErrBackwards) {
		t.Errorf("back from a barrier: %v", err)
	}
	remember(t, f, at(3, 2)) // a new epoch may begin anywhere
	wantHead(t, path, at(3, 2))
}

func TestATornSlotFallsBackToTheOlder(t *testing.T) {
	path := newPath(t)
	f := create(t, path, at(1, 1))
	remember(t, f, at(1, 2))
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	remember(t, f, at(1, 3))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	slotAt := 0
	if bytes.Equal(before[:slotSize], after[:slotSize]) {
		slotAt = slotOffset
	}
	for cut := 0; cut <= slotSize; cut++ {
		torn := bytes.Clone(before)
		copy(torn[slotAt:slotAt+cut], after[slotAt:])
		got, _, err := decode(torn)
		if err != nil {
			t.Fatalf("torn after %d bytes: %v", cut, err)
		}
		// The old slot, the new one, or neither is whole; and the one beside it
		// always is.
		if want := at(1, 2); got.head != want && got.head != at(1, 3) || cut < 112 && got.head != want {
			t.Fatalf("torn after %d bytes: %+v", cut, got.head)
		}
		if cut >= 112 && got.head != at(1, 3) {
			t.Fatalf("written whole: %+v", got.head)
		}
	}
}

func TestBothSlotsDamaged(t *testing.T) {
	path := newPath(t)
	create(t, path, at(1, 1)).Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	equal := bytes.Clone(whole)
	copy(equal[slotOffset:], equal[:slotSize])
	broken := bytes.Clone(whole)
	broken[20], broken[slotOffset+60] = 1, 1
	for name, content := range map[string][]byte{
		"empty": {}, "zeros": make([]byte, fileSize), "cut": whole[:fileSize-1], "longer": append(bytes.Clone(whole), 0),
		"both broken": broken, "one sequence twice": equal,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, content) {
			t.Errorf("%s: the damaged file was touched (%v)", name, err)
		}
	}
}

func TestEveryFlippedBitLeavesTheOtherSlot(t *testing.T) {
	path := newPath(t)
	f := create(t, path, at(1, 1))
	remember(t, f, at(1, 2))
	f.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for slotAt := 0; slotAt < fileSize; slotAt += slotOffset {
		for bit := range slotSize * 8 {
			whole[slotAt+bit/8] ^= 1 << (bit % 8)
			got, at1, err := decode(whole)
			if err != nil || at1*slotOffset == slotAt || got.head != at(1, 2) && got.head != at(1, 1) {
				t.Fatalf("bit %d of the slot at %d: slot %d, %+v, %v", bit, slotAt, at1, got.head, err)
			}
			whole[slotAt+bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestANewerVersionIsNotDamage(t *testing.T) {
	path := newPath(t)
	create(t, path, at(1, 1)).Close()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, slots := range [][]int{{0}, {slotOffset}, {0, slotOffset}} {
		changed := bytes.Clone(content)
		for _, o := range slots {
			binary.BigEndian.PutUint32(changed[o+8:], version+1)
			reseal(changed[o : o+slotSize])
		}
		if _, _, err := decode(changed); !errors.Is(err, ErrNewer) || errors.Is(err, ErrDamaged) {
			t.Errorf("%v: %v", slots, err)
		}
	}
}

// faultyDisk is a file in memory that knows what a power cut would leave.
type faultyDisk struct {
	now, flushed      [fileSize]byte
	writeErr, syncErr error
	syncs             int
	lastSync          time.Time
}

func (d *faultyDisk) WriteAt(b []byte, at int64) (int, error) {
	if d.writeErr != nil {
		return 0, d.writeErr
	}
	return copy(d.now[at:], b), nil
}

func (d *faultyDisk) Sync() error {
	d.syncs++
	d.lastSync = time.Now()
	if d.syncErr == nil {
		d.flushed = d.now
	}
	return d.syncErr
}

func (d *faultyDisk) Close() error { return nil }

// newFaulty opens a file with head at(1, 1) on a faulty disk.
func newFaulty() (*faultyDisk, *File) {
	d := &faultyDisk{}
	copy(d.now[:], slot{sequence: 0, head: at(1, 1)}.encode())
	copy(d.now[slotOffset:], slot{sequence: 1, head: at(1, 1)}.encode())
	d.flushed = d.now
	return d, newFile(d, slot{sequence: 1, head: at(1, 1)}, 1, flushDelay)
}

func TestFlushedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := newFaulty()
		defer f.Close()
		for n := uint64(2); n < 40; n++ {
			written := time.Now()
			remember(t, f, at(1, n))
			time.Sleep(time.Duration(n) * 40 * time.Millisecond)
			synctest.Wait()
			if wait := d.lastSync.Sub(written); time.Since(written) >= time.Second && (wait < 0 || wait > time.Second) {
				t.Fatalf("page %d flushed after %v", n, wait)
			}
		}
		syncs := d.syncs
		time.Sleep(time.Hour)
		if d.syncs > syncs+1 {
			t.Errorf("%d flushes of nothing", d.syncs-syncs)
		}
	})
}

func TestManyWritesShareAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := newFaulty()
		defer f.Close()
		for n := uint64(2); n < 5002; n++ {
			remember(t, f, at(1, n))
			time.Sleep(time.Millisecond)
		}
		if d.syncs < 5 || d.syncs > 11 {
			t.Errorf("%d flushes in five seconds", d.syncs)
		}
	})
}

func TestAFailedFlushIsToldAtTheNextRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := newFaulty()
		d.syncErr = errors.New("input/output error")
		remember(t, f, at(1, 2))
		time.Sleep(time.Second)
		synctest.Wait()
		if err := f.Remember(at(1, 3)); !errors.Is(err, d.syncErr) {
			t.Errorf("after a failed flush: %v", err)
		}
		// A flush that succeeds after one that failed proves nothing: the system
		// may have dropped what it could not write.
		failed := d.syncErr
		d.syncErr = nil
		if err := f.Remember(at(1, 3)); !errors.Is(err, failed) {
			t.Errorf("once more: %v", err)
		}
		if err := f.Close(); !errors.Is(err, failed) {
			t.Errorf("close: %v", err)
		}
	})
}

func TestAFailedWriteIsTold(t *testing.T) {
	d, f := newFaulty()
	d.writeErr = errors.New("no space left on device")
	if err := f.Remember(at(1, 2)); !errors.Is(err, d.writeErr) {
		t.Errorf("%v", err)
	}
	if f.Head() != at(1, 1) {
		t.Errorf("the head moved to %+v", f.Head())
	}
}

// TestPowerCuts cuts the power at any moment: every byte written since the last
// flush may be there or not. What a flush covered is never lost, and what comes
// back was remembered once.
func TestPowerCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, f := newFaulty()
		f.delay = time.Hour // flushes are drawn
		var flushed uint64 = 1
		n := uint64(1)
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "flush") {
				if err := f.Flush(); err != nil {
					t.Fatal(err)
				}
				flushed = n
				continue
			}
			n++
			if err := f.Remember(at(1, n)); err != nil {
				t.Fatal(err)
			}
		}
		if got, _, err := decode(d.now[:]); err != nil || got.head != at(1, n) {
			t.Fatalf("killed at page %d: found %+v, %v", n, got.head, err)
		}
		from := rapid.IntRange(0, fileSize).Draw(t, "from")
		to := rapid.IntRange(from, fileSize).Draw(t, "to")
		cut := d.flushed
		copy(cut[from:to], d.now[from:to])
		got, _, err := decode(cut[:])
		if err != nil {
			t.Fatalf("after a power cut: %v", err)
		}
		if got.head.Page < flushed || got.head.Page > n || got.head != at(1, got.head.Page) {
			t.Fatalf("flushed page %d, remembered %d, found %+v", flushed, n, got.head)
		}
		if f.timer != nil {
			f.timer.Stop()
		}
	})
}

func TestOpenFlushesWhatItFound(t *testing.T) {
	// A process that was killed may have left its last write unflushed; the slot
	// beside it is overwritten next.
	path := newPath(t)
	f := create(t, path, at(1, 1))
	remember(t, f, at(1, 2))
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	remember(t, again, at(1, 3))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	heads := fmt.Sprint(pagesIn(content))
	if heads != "[2 3]" && heads != "[3 2]" {
		t.Errorf("the slots hold pages %s", heads)
	}
}

func pagesIn(content []byte) (pages []uint64) {
	for o := 0; o < fileSize; o += slotOffset {
		s, err := decodeSlot(content[o : o+slotSize])
		if err != nil {
			return nil
		}
		pages = append(pages, s.head.Page)
	}
	return pages
}

func FuzzDecode(f *testing.F) {
	d, _ := newFaulty()
	f.Add(d.now[:])
	f.Add(d.now[:slotSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		got, where, err := decode(content)
		if err != nil {
			return
		}
		if s := content[where*slotOffset : where*slotOffset+slotSize]; !bytes.Equal(got.encode(), s) {
			t.Fatal("a slot has a second form")
		}
	})
}

func FuzzDecodeSlot(f *testing.F) {
	f.Add(slot{sequence: 9, head: at(2, 5)}.encode())
	f.Add(slot{head: Head{Head: page.Head{Root: tlog.Hash{1}}}}.encode())
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) == slotSize {
			reseal(content) // so that the fuzzer gets past the checksum
		}
		if s, err := decodeSlot(content); err == nil && !bytes.Equal(s.encode(), content) {
			t.Fatal("a slot has a second form")
		}
	})
}

// reseal makes the checksum of a slot fit again.
func reseal(s []byte) {
	sum := sha256.Sum256(s[:summed])
	copy(s[summed:], sum[:])
}
