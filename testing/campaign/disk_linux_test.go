package campaign

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// ailment is how a disk answers, for a while, to the process that writes to it.
type ailment struct {
	name string
	// calls are the system calls, and how what becomes of them: strace's words.
	calls, how string
	// blocks says that only those of the log's own files are meant: the calls serve
	// for pipes too.
	blocks bool
	// slow says that it fails nothing.
	slow bool
}

var ailments = []ailment{
	{name: "flushing a file fails (EIO)", calls: "fsync,fdatasync", how: "error=EIO"},
	{name: "flushing a file fails now and then (EIO)", calls: "fsync,fdatasync", how: "error=EIO:when=3+7"},
	{name: "writing to the log's files fails (EIO)", calls: "write,pwrite64", how: "error=EIO", blocks: true},
	{name: "writing to files fails (EIO)", calls: "pwrite64,ftruncate", how: "error=EIO"},
	{name: "there is no room on the disk (ENOSPC)", calls: "pwrite64,fallocate,ftruncate", how: "error=ENOSPC"},
	{name: "the disk can only be read (EROFS)", calls: "pwrite64,ftruncate,renameat,renameat2,unlinkat,mkdirat", how: "error=EROFS"},
	{name: "flushing a file takes a tenth of a second", calls: "fsync,fdatasync", how: "delay_enter=100000", slow: true},
}

// TestAilingDisk: while a book is written to, its disk answers with errors for a
// while, or slowly. What was acknowledged before, meanwhile and after is honoured;
// what was not is entered once when it is given again to the book, opened anew on a
// disk that is well.
func TestAilingDisk(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("strace is not installed")
		}
		t.Skip("strace is not installed")
	}
	random := seeded(t)
	for _, a := range ailments {
		t.Run(a.name, func(t *testing.T) {
			r := row{name: a.name}
			for range runs(1, 10) {
				r.runs++
				dir := newBook(t)
				var h history
				for range 1 + random.IntN(2) {
					said, faults := ailing(t, dir, h.open, a, random)
					h.add(t, said)
					r.faults += faults
				}
				finish(t, dir, &h)
				h.judge(t, dir, &r)
				if t.Failed() {
					break
				}
			}
			tell(t, r)
		})
	}
}

// ailing lets a child work on a book whose disk ails for a while, and gives what it
// said and how often the disk failed it. What it said of commands that it could not
// get entered does not count from then on, unless the disk is only slow.
func ailing(t *testing.T, dir string, again []uuid.UUID, a ailment, random *rand.Rand) (string, int) {
	t.Helper()
	c, said := start(t, dir, again)
	defer kill(c)
	for end := time.Now().Add(time.Minute); !strings.Contains(said.text(), "receipt "); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a child gave no receipt within a minute: %s", said.text())
		}
	}
	time.Sleep(time.Duration(random.IntN(50_000)) * time.Microsecond)
	before := said.text()
	faults := afflict(t, c, dir, a, time.Duration(100+random.IntN(400))*time.Millisecond)
	readable(t, dir)
	time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond) // the disk is well again
	kill(c)
	if a.slow {
		return said.text(), faults
	}
	if _, told, found := strings.Cut(said.text()[len(before):], "\nrefused "); found {
		told, _, _ = strings.Cut(told, "\n")
		t.Logf("whoever gives a command is told: %s", told)
	}
	return kept(before, said.text()), faults
}

// readable reads the whole log through the process that holds the book, whatever has
// become of its writer.
func readable(t *testing.T, dir string) {
	t.Helper()
	l, err := bookdir.OpenLog(t.Context(), dir, 5*time.Second, quiet())
	if err != nil {
		t.Errorf("the book cannot be read: %v", err)
		return
	}
	defer l.Close(context.Background())
	if l.Holder == 0 {
		t.Error("the process that held the book is gone")
	}
	for p, err := range l.Store.Read(t.Context(), 1, 1<<62) {
		if err == nil {
			_, err = l.Verifier.Open(p.Body)
		}
		if err != nil {
			t.Errorf("the book cannot be read: %v", err)
			return
		}
	}
}

// afflict has a process's system calls answered otherwise for a while, and tells how
// many were.
func afflict(t *testing.T, c *exec.Cmd, dir string, a ailment, long time.Duration) int {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	args := []string{"-f", "-o", log, "-p", strconv.Itoa(c.Process.Pid), "-e", "trace=" + a.calls, "-e", "inject=" + a.calls + ":" + a.how}
	if a.blocks {
		blocks, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "*", "streams", "*", "msgs", "*.blk"))
		if err != nil || len(blocks) == 0 {
			t.Fatal(blocks, err)
		}
		for _, path := range blocks {
			args = append(args, "-P", path)
		}
	}
	said := &output{}
	s := exec.Command("strace", args...)
	s.Stderr = said
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !strings.Contains(said.text(), "attached"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			_ = s.Process.Kill()
			_ = s.Wait()
			if strings.Contains(said.text(), "ermitted") {
				t.Skipf("strace may not look at other processes here: %s", said.text())
			}
			t.Fatalf("strace did not come to its process: %s", said.text())
		}
	}
	note("from now on %s", a.name)
	time.Sleep(long)
	_ = s.Process.Signal(syscall.SIGINT) // it lets go
	_ = s.Wait()
	note("no longer: %s", a.name)
	told, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(told, []byte("(INJECTED)")) + bytes.Count(told, []byte("(DELAYED)"))
}
