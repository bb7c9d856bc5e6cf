package campaign

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// disk is a file system of its own on a file, whose power can be cut.
type disk struct {
	image, at, options string
	mounted            bool
}

// newDisk makes an empty disk; nil where this machine has no rights to, or no ext4. It
// orders what it writes no more than it must: a file that is renamed is not flushed
// for that, and neither is data, in one of the two modes, before what names it.
func newDisk(t *testing.T, random *rand.Rand) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	d := &disk{image: filepath.Join(t.TempDir(), "image"), at: t.TempDir(), options: "loop,noauto_da_alloc,data=writeback"}
	if random.IntN(2) == 0 {
		d.options = "loop,noauto_da_alloc,data=ordered"
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 512<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Logf("mkfs.ext4: %v %s", err, out)
		return nil
	}
	if err := d.mount(); err != nil {
		t.Log(err)
		return nil
	}
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *disk) mount() error {
	out, err := exec.Command("mount", "-t", "ext4", "-o", d.options, d.image, d.at).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	d.mounted = true
	note("the disk at %s mounted (%s)", d.at, d.options)
	return nil
}

func (d *disk) unmount() error {
	if !d.mounted {
		return nil
	}
	d.mounted = false
	for tries := 0; ; tries++ {
		err := syscall.Unmount(d.at, 0)
		if !errors.Is(err, syscall.EBUSY) || tries == 100 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// cut cuts the power: from now on nothing reaches the disk, and of what was written
// before only what the file system had handed to it is there when it is mounted
// again. That is the ioctl EXT4_IOC_SHUTDOWN, the journal not flushed, with which the
// file system itself is tested.
func (d *disk) cut(t *testing.T) {
	t.Helper()
	const shutdown, noLogFlush = 0x8004587D, uint32(2)
	f, err := os.Open(d.at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags := noLogFlush
	if err := control(f, shutdown, &flags); err != nil {
		t.Fatalf("cut the power: %v", err)
	}
	note("the power of the disk at %s cut", d.at)
}

// fill leaves no room on the disk, until empty gives it back.
func (d *disk) fill(t *testing.T) (empty func()) {
	t.Helper()
	filler := filepath.Join(d.at, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	for size := int64(256 << 20); size >= 1024; {
		if err := syscall.Fallocate(int(f.Fd()), 0, at, size); err == nil {
			at += size
		} else if size /= 2; !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	note("the disk at %s full", d.at)
	return func() {
		t.Helper()
		if err := errors.Join(f.Close(), os.Remove(filler)); err != nil {
			t.Fatal(err)
		}
		note("room again on the disk at %s", d.at)
		gone, err := os.Open(d.at)
		if err == nil {
			err = errors.Join(gone.Sync(), gone.Close()) // else a disk that fails next has it again
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// abort lets the disk only be read until it is mounted again, as a file system does
// that finds itself damaged.
func (d *disk) abort(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,abort", d.at).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	note("the disk at %s can only be read", d.at)
}

// TestACutIsOne: what was not flushed is gone after a cut, what was is not, and
// nothing can be written once the power is gone.
func TestACutIsOne(t *testing.T) {
	d := newDisk(t, seeded(t))
	if d == nil {
		t.Skip(unable)
	}
	kept, gone := filepath.Join(d.at, "kept"), filepath.Join(d.at, "gone")
	if err := os.WriteFile(kept, []byte("flushed"), 0o600); err != nil {
		t.Fatal(err)
	}
	flush(t, kept)
	if err := os.WriteFile(gone, []byte("not flushed"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.cut(t)
	if err := os.WriteFile(filepath.Join(d.at, "late"), nil, 0o600); !errors.Is(err, syscall.EIO) {
		t.Errorf("writing without power: %v", err)
	}
	if err := errors.Join(d.unmount(), d.mount()); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(kept); string(data) != "flushed" {
		t.Errorf("what was flushed is %q, %v", data, err)
	}
	if data, err := os.ReadFile(gone); len(data) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was not flushed is %q, %v", data, err)
	}
}

// unable is why there is no disk whose power can be cut.
const unable = "it takes root, a loop device and ext4"

// TestPowerLost: the power of the disk is cut at random moments while a book on it is
// written to, and its lists follow; what was not flushed is gone. Every receipt is
// honoured, and what had none is given again under its id and entered once.
func TestPowerLost(t *testing.T) {
	random := seeded(t)
	r := row{name: "the power of the disk is cut at a random moment under load: what was not flushed is gone", note: "ext4, up to three cuts of one book"}
	for range runs(3, 50) {
		d := newDisk(t, random)
		if d == nil {
			t.Skip(unable)
		}
		r.runs++
		dir := filepath.Join(d.at, "book")
		newBookIn(t, dir, bookdir.SystemClock())
		flush(t, dir+".key") // it was laid there by whoever runs the book
		var h history
		for range 1 + random.IntN(3) {
			r.faults++
			h.add(t, powerless(t, d, dir, h.open, random))
			if err := errors.Join(d.unmount(), d.mount()); err != nil {
				t.Fatal(err)
			}
		}
		finish(t, dir, &h)
		h.judge(t, dir, &r)
		if err := d.unmount(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			break
		}
	}
	tell(t, r)
}

// powerless lets a child work on a book until the power is cut, and gives what it
// said: of what it said after the cut the receipts alone, for nothing else counts that
// was said without a disk.
func powerless(t *testing.T, d *disk, dir string, again []uuid.UUID, random *rand.Rand) string {
	t.Helper()
	c, said := start(t, dir, again)
	if random.IntN(4) > 0 { // else it may still be opening the book
		for end := time.Now().Add(time.Minute); !strings.Contains(said.text(), "receipt ") && !strings.Contains(said.text(), "failed ") && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(time.Duration(random.IntN(300_000)) * time.Microsecond)
	before := said.text()
	d.cut(t)
	time.Sleep(20 * time.Millisecond) // it goes on without a disk
	kill(c)
	return kept(before, said.text())
}

// kept is what a child said, but that of what it said after some of it only the
// commands and the receipts count.
func kept(before, all string) string {
	text, rest := before, all[len(before):]
	if before != "" && !strings.HasSuffix(before, "\n") {
		i := strings.Index(rest, "\n") + 1
		text, rest = before+rest[:i], rest[i:]
	}
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "receipt ") || strings.HasPrefix(line, "sent ") {
			text += line
		}
	}
	return text
}

// flush makes a file and its name durable.
func flush(t *testing.T, path string) {
	t.Helper()
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// control asks a file's file system something that has no call of its own.
func control(f *os.File, request uintptr, argument *uint32) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(argument))); errno != 0 {
		return errno
	}
	return nil
}

// TestWhatIsReadIsFlushed: what a process that was killed had written and not flushed is
// read when the book is opened next. It is there still when the power is cut then, before
// anything else is written: copies and checkpoints of it may have left the machine.
func TestWhatIsReadIsFlushed(t *testing.T) {
	d := newDisk(t, seeded(t))
	if d == nil {
		t.Skip(unable)
	}
	dir := filepath.Join(d.at, "book")
	newBookIn(t, dir, bookdir.SystemClock())
	flush(t, dir+".key")
	blocks, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatal(blocks, err)
	}
	files := []string{blocks[0], filepath.Join(filepath.Dir(blocks[0]), "index.db"), filepath.Join(dir, "head")}
	read := func() (all [][]byte) {
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, data)
		}
		return all
	}
	// The log as it was flushed last, and what the killed process appended to it.
	enterOne(t, dir)
	before := read()
	enterOne(t, dir)
	appended := read()[0][len(before[0]):]
	for i, path := range files {
		if err := os.WriteFile(path, before[i], 0o600); err != nil {
			t.Fatal(err)
		}
		flush(t, path)
	}
	for _, name := range []string{"state.db", "tree"} { // written after that was acknowledged
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	marker := filepath.Join(dir, "store", "running")
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	flush(t, marker)
	block, err := os.OpenFile(blocks[0], os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = block.Write(appended)
		err = errors.Join(err, block.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	// The sizes that a book which is opened, and then one after the cut, tells.
	size := func(cut bool) uint64 {
		b, err := bookdir.Open(t.Context(), dir, options(dir))
		if err != nil {
			t.Fatal(err)
		}
		h, err := b.Head()
		if err != nil {
			t.Fatal(err)
		}
		if cut {
			d.cut(t)
		}
		if err := b.Close(t.Context()); err != nil && !cut {
			t.Error(err)
		}
		return h.Size
	}
	told := size(true)
	if err := errors.Join(d.unmount(), d.mount()); err != nil {
		t.Fatal(err)
	}
	if left := size(false); told != 3 || left != told {
		t.Errorf("the book told size %d, and has %d after the cut", told, left)
	}
}

// enterOne enters a command in a book that is opened for it.
func enterOne(t *testing.T, dir string) {
	t.Helper()
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Do(t.Context(), command(registering()))
	if err := errors.Join(err, b.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}
