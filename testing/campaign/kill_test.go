package campaign

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/archive"
)

// output is what a child says. It may be read while the child says more.
type output struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.String()
}

// start starts a child, which works at first on what was not answered before; more is
// added to its environment.
func start(t *testing.T, dir string, again []uuid.UUID, more ...string) (*exec.Cmd, *output) {
	t.Helper()
	said := &output{}
	var first strings.Builder
	for _, id := range again {
		first.WriteString(id.String() + "\n")
	}
	c := exec.Command(os.Args[0], "-test.run", "^$")
	c.Env = append(os.Environ(), childDir+"="+dir, "GORACE=atexit_sleep_ms=0")
	c.Env = append(c.Env, more...)
	children++
	told := &lines{child: children}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(first.String()), io.MultiWriter(said, told), os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	note("process %d begun, with id %d, on %s, %d commands given again", told.child, c.Process.Pid, dir, len(again))
	return c, said
}

// work lets a child work on a book, at first on what was not answered before, until at
// least one receipt was given, and then for a while longer, and kills it.
func work(t *testing.T, dir string, again []uuid.UUID, longer time.Duration) string {
	t.Helper()
	c, said := start(t, dir, again)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		text := said.text()
		if strings.Contains(text, "receipt ") || strings.Contains(text, "failed ") {
			break
		}
		if time.Now().After(end) {
			_ = c.Process.Kill()
			t.Fatalf("a child gave no receipt within a minute: %s", text)
		}
	}
	time.Sleep(longer)
	kill(c)
	return said.text()
}

// waits waits until a child says something after it had said so much.
func waits(t *testing.T, said *output, after int, what string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(said.text()[after:], what); time.Sleep(time.Millisecond) {
		if text := said.text(); time.Now().After(end) || strings.Contains(text, "failed ") {
			t.Fatalf("a child did not say %q, but: %s", what, text[max(after, len(text)-1000):])
		}
	}
}

// kill kills a child.
func kill(child *exec.Cmd) {
	if child.Process.Kill() == nil { // else it was before
		note("the process with id %d killed", child.Process.Pid)
	}
	_ = child.Wait()
}

// TestKilled: the process is killed at random moments under load, again and again on
// one book. Every receipt is honoured, and what had none is given again under its id
// and entered once.
func TestKilled(t *testing.T) {
	random := seeded(t)
	r := row{name: "the process is killed with -9 at a random moment under load", note: "on one book, one after the other"}
	dir := newBook(t)
	var h history
	for range runs(8, 100) {
		said := work(t, dir, h.open, time.Duration(random.IntN(250_000))*time.Microsecond)
		h.add(t, said)
		r.runs, r.faults = r.runs+1, r.faults+1
	}
	// What is still open is given once more, and ends.
	finish(t, dir, &h)
	h.judge(t, dir, &r)
	tell(t, r)
}

// finish gives what was not answered, in this process.
func finish(t *testing.T, dir string, h *history) {
	t.Helper()
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range h.open {
		note("%s given again in this process", id)
		receipt, err := b.Do(t.Context(), command(id))
		if err != nil {
			note("%s refused: %v", id, err)
			h.refused = append(h.refused, err.Error())
			continue
		}
		note("%s answered at position %d", id, receipt.Position)
		h.receipts, h.has[id] = append(h.receipts, receipt.Receipt), true
	}
	h.open = nil
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestCopiedWhileWritten: the folder as a snapshot of the disk shows it at a random
// moment is a whole book: nothing that had a receipt by then is missing from it.
func TestCopiedWhileWritten(t *testing.T) {
	random := seeded(t)
	r := row{name: "the folder as a snapshot of the disk shows it at a random moment under load", note: "the process stands still while it is copied"}
	for range runs(3, 50) {
		r.runs, r.faults = r.runs+1, r.faults+1
		dir := newBook(t)
		c, said := start(t, dir, nil)
		for end := time.Now().Add(time.Minute); !strings.Contains(said.text(), "receipt ") && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		before := said.text() // what had been acknowledged when the copy begins
		snapshot(t, c, dir)
		kill(c)
		copied := dir + ".copy"
		var h history
		h.add(t, before)
		h.open = nil // whatever became of it
		h.judge(t, copied, &r)
	}
	tell(t, r)
}

// snapshot copies a folder while its process stands still, as a snapshot of the disk
// would.
func snapshot(t *testing.T, c *exec.Cmd, dir string) {
	t.Helper()
	pause(t, c, true)
	defer pause(t, c, false)
	key, err := os.ReadFile(dir + ".key")
	if err == nil {
		err = os.WriteFile(dir+".copy.key", key, 0o600)
	}
	if err == nil {
		err = os.CopyFS(dir+".copy", os.DirFS(dir))
	}
	if err != nil {
		t.Fatal(err)
	}
	note("copied as a snapshot: %s", dir)
	_ = os.Remove(filepath.Join(dir+".copy", "connect"))
	for _, name := range []string{"ring", "head", "state.db", "key"} {
		_ = os.Chmod(filepath.Join(dir+".copy", name), 0o600)
	}
}

// destroy removes a book, as a disk does that is destroyed.
func destroy(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	note("%s destroyed", dir)
}

// TestBroughtBack: a book that is archived while it is written to is destroyed at a
// random moment, and brought back from the archive alone: everything that had a receipt
// when the last backup began is there, and what is not is told by its receipts.
func TestBroughtBack(t *testing.T) {
	random := seeded(t)
	r := row{name: "the disk is destroyed, and the book brought back from its archive", note: "counted up to the last backup"}
	for range runs(2, 10) {
		r.runs, r.faults = r.runs+1, r.faults+1
		dir := newBook(t)
		to := filepath.Join(t.TempDir(), "archive")
		escrow, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		var h history
		for range 1 + random.IntN(3) {
			h.add(t, work(t, dir, h.open, time.Duration(random.IntN(80))*time.Millisecond))
			backup(t, dir, to, escrow.Recipient().String())
		}
		destroy(t, dir)
		restore(t, dir, to, escrow)
		finish(t, dir, &h)
		h.judge(t, dir, &r)
	}
	tell(t, r)
}

// TestRequired: the disk is destroyed at a random moment, and no receipt was given
// before the archive had what it was for: every one is honoured.
func TestRequired(t *testing.T) {
	random := seeded(t)
	r := row{name: "the disk is destroyed at a random moment, where receipts wait for the archive"}
	for range runs(3, 30) {
		r.runs, r.faults = r.runs+1, r.faults+1
		dir := newBook(t)
		to := filepath.Join(t.TempDir(), "archive")
		escrow := requires(t, dir, to)
		var h history
		for range 1 + random.IntN(3) {
			h.add(t, work(t, dir, h.open, time.Duration(random.IntN(80_000))*time.Microsecond))
		}
		destroy(t, dir)
		restore(t, dir, to, escrow)
		finish(t, dir, &h)
		h.judge(t, dir, &r)
	}
	tell(t, r)
}

// requires archives a book, whose receipts wait for that from now on, and gives the
// identity that opens it.
func requires(t *testing.T, dir, to string) *age.X25519Identity {
	t.Helper()
	escrow, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	backup(t, dir, to, escrow.Recipient().String())
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.RequireArchive(true), b.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	return escrow
}

func backup(t *testing.T, dir, to, recipient string) {
	t.Helper()
	b, err := bookdir.Open(t.Context(), dir, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ArchiveTo(t.Context(), bookdir.Archive{To: to, Recipients: []string{recipient}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Backup(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	note("%s archived", dir)
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func restore(t *testing.T, dir, from string, escrow *age.X25519Identity) {
	t.Helper()
	place, err := archive.Open(from, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	_, err = bookdir.Restore{
		From: place, Identities: archive.Identities{escrow}, Root: o.Root, Principal: "owner", Clock: o.Clock, Log: o.Log,
	}.Do(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	note("%s brought back from the archive", dir)
}

// TestMended: blocks of the log are damaged at random places, and the log is made anew
// from what survives and the archive.
func TestMended(t *testing.T) {
	random := seeded(t)
	r := row{name: "bits of the log flipped, blocks cut, the index removed; repaired from the archive"}
	for range runs(3, 25) {
		r.runs++
		dir := newBook(t)
		to := filepath.Join(t.TempDir(), "archive")
		escrow, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		var h history
		h.add(t, work(t, dir, nil, time.Duration(random.IntN(80))*time.Millisecond))
		finish(t, dir, &h)
		backup(t, dir, to, escrow.Recipient().String())
		r.faults += harm(t, dir, random)
		place, err := archive.Open(to, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		o := options(dir)
		done, err := bookdir.Repair{
			From: place, Identities: archive.Identities{escrow}, Root: o.Root, Principal: "owner", Clock: o.Clock, Log: o.Log,
		}.Do(t.Context(), dir)
		if err != nil && !strings.Contains(err.Error(), "nothing of the log") { // it hit what was not in use
			t.Fatal(err)
		}
		if done.Loss != nil {
			r.lost += int(done.Loss.Commits())
		}
		h.judge(t, dir, &r)
	}
	tell(t, r)
}

// harm damages the log's files, and tells how often.
func harm(t *testing.T, dir string, random *rand.Rand) (faults int) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "*", "streams", "*", "msgs", "*"))
	if err != nil || len(blocks) == 0 {
		t.Fatal(blocks, err)
	}
	for range 1 + random.IntN(3) {
		path := blocks[random.IntN(len(blocks))]
		data, err := os.ReadFile(path)
		if err != nil || len(data) == 0 {
			continue
		}
		switch random.IntN(3) {
		case 0:
			at, bit := random.IntN(len(data)), random.IntN(8)
			data[at] ^= 1 << bit
			note("%s: bit %d of byte %d flipped", path, bit, at)
			err = os.WriteFile(path, data, 0o600)
		case 1:
			size := random.IntN(len(data))
			note("%s: cut to %d bytes of %d", path, size, len(data))
			err = os.Truncate(path, int64(size))
		case 2:
			note("%s: removed", path)
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		faults++
	}
	return faults
}
