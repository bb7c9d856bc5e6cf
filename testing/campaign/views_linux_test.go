package campaign

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// TestViewsGone: the folder that has the views is removed, its disk fills up or can
// only be read, or the process is killed while it makes them from nothing, while
// commands are given. Commands go on, the views are what the log says at their cursor,
// go on when they can, and come out as a replay.
func TestViewsGone(t *testing.T) {
	random := seeded(t)
	r := row{name: "the views are removed, their disk is full or read-only, the process is killed while it makes them", note: "SQLite; the disk's faults as root"}
	for range runs(1, 10) {
		r.runs++
		v := &beside{dir: newBook(t), disk: newDisk(t, random)}
		faults := []func(*testing.T, *rand.Rand){v.removed, v.killed}
		if v.disk != nil {
			if err := os.Symlink(v.disk.at, filepath.Join(v.dir, "views")); err != nil {
				t.Fatal(err)
			}
			faults = append(faults, v.full, v.readOnly)
		}
		random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		for _, fault := range faults {
			v.start(t)
			waits(t, v.said, 0, "receipt ")
			v.follows(t)
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			fault(t, random)
			r.faults++
			v.follows(t)
			together(t, v.dir)
			v.end(t)
			if t.Failed() {
				break
			}
		}
		finish(t, v.dir, &v.h)
		v.h.judge(t, v.dir, &r)
		if v.disk != nil {
			if err := v.disk.unmount(); err != nil {
				t.Fatal(err)
			}
		}
		if t.Failed() {
			break
		}
	}
	tell(t, r)
}

// beside is a book whose views are in its folder, on a disk of their own where there may
// be one, and the child that writes to it.
type beside struct {
	dir   string
	disk  *disk
	child *exec.Cmd
	said  *output
	h     history
}

func (v *beside) start(t *testing.T) {
	t.Helper()
	v.child, v.said = start(t, v.dir, v.h.open, pace+"=20ms")
	child := v.child
	t.Cleanup(func() { kill(child) })
}

func (v *beside) end(t *testing.T) {
	t.Helper()
	kill(v.child)
	v.h.add(t, v.said.text())
}

// again starts the process again: what it has of files that are gone, or of a disk
// that failed, does not come back.
func (v *beside) again(t *testing.T) {
	t.Helper()
	v.end(t)
	v.start(t)
	v.goOn(t)
}

// goOn sees that commands go on.
func (v *beside) goOn(t *testing.T) {
	t.Helper()
	waits(t, v.said, len(v.said.text()), "receipt ")
}

// follows sees that the child's lists come to where the log is now.
func (v *beside) follows(t *testing.T) {
	t.Helper()
	waits(t, v.said, len(v.said.text()), "followed ")
}

func (v *beside) empty(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(v.dir, "views", "*"))
	for _, path := range files {
		if filepath.Base(path) != "lost+found" {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) { // SQLite removes files of its own
		t.Fatal(err)
	}
	note("the views of %s removed", v.dir)
}

// removed: the files are removed under the process.
func (v *beside) removed(t *testing.T, random *rand.Rand) {
	v.empty(t)
	v.goOn(t)
	time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
	v.goOn(t)
	v.again(t)
}

// killed: the process is killed while it makes the views from nothing.
func (v *beside) killed(t *testing.T, random *rand.Rand) {
	v.end(t)
	v.empty(t)
	v.start(t)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if begun, _ := filepath.Glob(filepath.Join(v.dir, "views", "views.*.db-wal")); len(begun) > 0 || time.Now().After(end) {
			break
		}
	}
	time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	v.again(t)
}

// full: the disk fills up, and there is room again later.
func (v *beside) full(t *testing.T, random *rand.Rand) {
	empty := v.disk.fill(t)
	before := len(v.said.text())
	waits(t, v.said, before, "\nviews ")
	t.Logf("the lists on a full disk say: %s", v.why(before))
	if !bookdir.Full(v.dir) {
		t.Error("nobody can be told that there is no room for the lists")
	}
	v.goOn(t)
	time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
	v.goOn(t)
	empty()
	if bookdir.Full(v.dir) {
		t.Error("there is room again, and it is not seen")
	}
}

// readOnly: the disk can only be read from now on; later it is mounted again.
func (v *beside) readOnly(t *testing.T, random *rand.Rand) {
	before := len(v.said.text())
	v.disk.abort(t)
	waits(t, v.said, before, "\nviews ")
	t.Logf("the lists on a disk that can only be read say: %s", v.why(before))
	v.goOn(t)
	time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
	v.goOn(t)
	v.end(t)
	if err := errors.Join(v.disk.unmount(), v.disk.mount()); err != nil {
		t.Fatal(err)
	}
	v.start(t)
	v.goOn(t)
}

// why is what the lists said last since.
func (v *beside) why(after int) string {
	said := v.said.text()[after:]
	_, said, _ = strings.Cut(said[max(0, strings.Index(said, "\nviews ")):], "views ")
	said, _, _ = strings.Cut(said, "\n")
	return said
}
