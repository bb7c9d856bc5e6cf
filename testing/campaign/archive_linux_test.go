package campaign

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestArchiveAway: the disk of the archive that receipts wait for fills up, can only be
// read, or is not mounted for a while, while commands are given. They are refused, and
// none is answered with a receipt, until the archive is there again, in the same
// process. Then the disk of the book is destroyed: every receipt is honoured by what the
// archive alone brings back.
func TestArchiveAway(t *testing.T) {
	random := seeded(t)
	r := row{name: "the disk of the archive that receipts wait for is full, read-only or not mounted; then the book's own is destroyed", note: "the folder under the mount stays empty; as root"}
	for range runs(1, 5) {
		d := newDisk(t, random)
		if d == nil {
			t.Skip(unable)
		}
		r.runs++
		s := &second{dir: newBook(t), disk: d}
		to := filepath.Join(d.at, "archive")
		escrow := requires(t, s.dir, to)
		faults := []func(*testing.T){s.full, s.readOnly, s.unmounted}
		random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		for _, fault := range faults {
			s.during(t, random, fault)
			r.faults++
		}
		destroy(t, s.dir)
		r.faults++
		restore(t, s.dir, to, escrow)
		finish(t, s.dir, &s.h)
		s.h.judge(t, s.dir, &r)
		if err := d.unmount(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			break
		}
	}
	tell(t, r)
}

// second is a book whose archive is on a disk of its own, and the child that writes to
// it.
type second struct {
	dir   string
	disk  *disk
	child *exec.Cmd
	said  *output
	h     history
}

// during has commands given before, while and after something is wrong.
func (s *second) during(t *testing.T, random *rand.Rand, fault func(*testing.T)) {
	t.Helper()
	s.child, s.said = start(t, s.dir, s.h.open)
	child := s.child
	defer kill(child)
	waits(t, s.said, 0, "\nreceipt ")
	time.Sleep(time.Duration(random.IntN(50_000)) * time.Microsecond)
	before := s.said.text()
	fault(t)
	waits(t, s.said, len(s.said.text()), "\nreceipt ")
	// Who was refused just before may say so after; all of them have receipts then.
	for said := s.said.text(); strings.Count(s.said.text()[len(said):], "\nreceipt ") < 64; {
		waits(t, s.said, len(s.said.text()), "\nreceipt ")
	}
	well := strings.LastIndexByte(s.said.text(), '\n') + 1
	time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	kill(child)
	all := s.said.text()
	s.h.add(t, kept(before, all[:well])+all[well:])
}

// refuses sees that commands are refused, and that none has a receipt meanwhile.
func (s *second) refuses(t *testing.T) {
	t.Helper()
	waits(t, s.said, len(s.said.text()), "\nrefused ")
	before := len(s.said.text())
	waits(t, s.said, before, "archive-behind")
	readable(t, s.dir)
	time.Sleep(100 * time.Millisecond)
	said := s.said.text()[before:]
	if strings.Contains(said, "\nreceipt ") {
		t.Error("a receipt was given for what the archive does not have")
	}
	_, why, _ := strings.Cut(said, "refused ")
	why, _, _ = strings.Cut(why, "\n")
	t.Logf("whoever gives a command is told: %s", why)
}

func (s *second) full(t *testing.T) {
	empty := s.disk.fill(t)
	s.refuses(t)
	empty()
}

func (s *second) readOnly(t *testing.T) {
	s.disk.abort(t)
	s.refuses(t)
	if err := errors.Join(s.disk.unmount(), s.disk.mount()); err != nil {
		t.Fatal(err)
	}
}

// unmounted: the folder is there, and empty.
func (s *second) unmounted(t *testing.T) {
	if err := syscall.Unmount(s.disk.at, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	note("the disk at %s is not mounted", s.disk.at)
	s.refuses(t)
	if left, err := os.ReadDir(s.disk.at); err != nil || len(left) > 0 {
		t.Errorf("where the disk is not mounted stands %v, %v", left, err)
	}
	if err := s.disk.mount(); err != nil {
		t.Fatal(err)
	}
}
