package keyring

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var errFlush = errors.New("no flush today")

// watch replaces the ring's flush by one that tells what was flushed.
func watch(r *Ring, see func(name string, content []byte) error) {
	r.opts.sync = func(file *os.File) error {
		content, _ := io.ReadAll(io.NewSectionReader(file, 0, 1<<30)) // a folder has none
		if err := see(filepath.Base(file.Name()), content); err != nil {
			return err
		}
		return file.Sync()
	}
}

// TestFlushedBeforeReturn: what a call promises as durable is in the file when
// it is flushed, and it is flushed once.
func TestFlushedBeforeReturn(t *testing.T) {
	r, path := tempRing(t)
	var flushed [][]byte
	watch(r, func(_ string, content []byte) error {
		flushed = append(flushed, content)
		return nil
	})
	ids := must[[]KeyID](t)(r.Reserve(Subject, 500))
	if len(flushed) != 1 || !bytes.Equal(flushed[0], must[[]byte](t)(os.ReadFile(path))) {
		t.Errorf("Reserve flushed %d times, or before it had written", len(flushed))
	}
	flushed = nil
	if err := r.Destroy(ids[:20]...); err != nil {
		t.Fatal(err)
	}
	if len(flushed) != 1 || !bytes.Equal(flushed[0], must[[]byte](t)(os.ReadFile(path))) {
		t.Errorf("Destroy flushed %d times, or before it had written", len(flushed))
	}
	flushed = nil
	if err := r.Destroy(ids[:20]...); err != nil || len(flushed) != 1 {
		t.Errorf("Destroy of destroyed keys flushed %d times: %v", len(flushed), err)
	}
}

// TestReplacingIsOrdered: the new file is flushed, then named, then the folder
// is flushed, and only then is the former header overwritten.
func TestReplacingIsOrdered(t *testing.T) {
	r, path := tempRing(t)
	must[KeyID](t)(r.New(Facts))
	if err := os.Link(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	var order []string
	watch(r, func(name string, _ []byte) error {
		_, unnamed := os.Stat(path + newSuffix)
		old, _ := os.ReadFile(path + ".old")
		order = append(order, fmt.Sprint(name, " named:", unnamed != nil, " wiped:", allZero(old[:headerSize])))
		return nil
	})
	if err := r.SetNamed("facts", 1); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ring.new named:false wiped:false",
		filepath.Base(filepath.Dir(path)) + " named:true wiped:false",
		"ring named:true wiped:true",
	}
	// The wiped file was opened under either name, by its age.
	if len(order) != 3 || order[0] != want[0] || order[1] != want[1] || !strings.HasSuffix(order[2], "wiped:true") {
		t.Errorf("flushes:\n%s\nwant\n%s", strings.Join(order, "\n"), strings.Join(want, "\n"))
	}
}

// TestFailedFlush: after each flush that fails, the ring says so, gives out
// nothing that is not durable, and works again afterwards.
func TestFailedFlush(t *testing.T) {
	for fails := range 3 {
		r, path := tempRing(t)
		key := must[[]byte](t)(r.Key(must[KeyID](t)(r.New(Facts))))
		n := 0
		watch(r, func(string, []byte) error {
			if n++; n == fails+1 {
				return errFlush
			}
			return nil
		})
		wantErr(t, r.SetNamed("facts", 1), errFlush)
		if err := r.SetNamed("facts", 1); err != nil {
			t.Fatalf("flush %d: again: %v", fails, err)
		}
		for _, ring := range []*Ring{r, reopen(t, path, Passphrase(secretPhrase))} {
			if id := must[KeyID](t)(ring.Named("facts")); id != 1 {
				t.Errorf("flush %d: name points to %d", fails, id)
			}
			if !bytes.Equal(key, must[[]byte](t)(ring.Key(1))) {
				t.Errorf("flush %d: another key", fails)
			}
		}
	}
	r, path := tempRing(t)
	watch(r, func(string, []byte) error { return errFlush })
	_, err := r.Reserve(Subject, 3)
	wantErr(t, err, errFlush)
	if info, _ := os.Stat(path); info.Size() != headerSize {
		t.Errorf("%d bytes are left of keys that were not given out", info.Size()-headerSize)
	}
	_, err = Create(path+"2", Passphrase(secretPhrase), cheap, func(o *options) {
		o.sync = func(*os.File) error { return errFlush }
	})
	wantErr(t, err, errFlush)
	if left, _ := filepath.Glob(path + "2*"); len(left) != 1 { // the lock
		t.Errorf("left behind: %v", left)
	}
}

// TestFolderThatWasNotFlushed: until the folder is, a power cut can bring the
// former file back, so nothing in the new one counts as durable.
func TestFolderThatWasNotFlushed(t *testing.T) {
	r, path := tempRing(t)
	must[KeyID](t)(r.New(Facts))
	if err := os.Link(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Base(filepath.Dir(path))
	broken := true
	var flushed []string
	watch(r, func(name string, _ []byte) error {
		flushed = append(flushed, name)
		if name == folder && broken {
			return errFlush
		}
		return nil
	})
	wantErr(t, r.SetNamed("facts", 1), errFlush)
	if old := must[[]byte](t)(os.ReadFile(path + ".old")); allZero(old[:headerSize]) {
		t.Error("the former header is gone, though a power cut may bring its file back")
	}
	_, err := r.New(Facts)
	wantErr(t, err, errFlush)
	broken, flushed = false, nil
	must[KeyID](t)(r.New(Facts))
	if len(flushed) != 2 || flushed[0] != folder {
		t.Errorf("flushed %v", flushed)
	}
}

func TestUnfinishedReplacementIsDropped(t *testing.T) {
	r, path := tempRing(t)
	if err := os.WriteFile(path+newSuffix, []byte("half a ring"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := must[KeyID](t)(r.New(Facts))
	if _, err := os.Stat(path + newSuffix); err == nil {
		t.Error("what a crash left is still there")
	}
	must[[]byte](t)(reopen(t, path, Passphrase(secretPhrase)).Key(id))
}

// TestConcurrency: several goroutines on two rings of one file.
func TestConcurrency(t *testing.T) {
	r, path := tempRing(t)
	rings := []*Ring{r, reopen(t, path, Passphrase(secretPhrase))}
	var mu sync.Mutex
	var wait sync.WaitGroup
	keys := map[KeyID]string{}
	for worker := range 6 {
		wait.Go(func() {
			ring := rings[worker%2]
			for i := range 15 {
				ids, err := ring.Reserve(Subject, 1+i%3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, id := range ids {
					key, err := rings[(worker+1)%2].Key(id)
					if _, twice := keys[id]; twice || err != nil {
						t.Errorf("key %d: twice %v, %v", id, twice, err)
					}
					keys[id] = string(key)
				}
				mu.Unlock()
				if worker == 0 {
					err = ring.SetNamed("newest", ids[0])
				} else if worker == 1 && i%4 == 0 {
					mu.Lock()
					err = ring.Destroy(ids[0])
					delete(keys, ids[0])
					mu.Unlock()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	third := reopen(t, path, Passphrase(secretPhrase))
	for id, want := range keys {
		for _, ring := range append(rings, third) {
			if got := must[[]byte](t)(ring.Key(id)); string(got) != want {
				t.Errorf("key %d differs between rings", id)
			}
		}
	}
}

const childRing = "KEYRING_TEST_CHILD"

// TestMain lets the test binary be the other process.
func TestMain(m *testing.M) {
	if path := os.Getenv(childRing); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child makes keys and names, and prints what it made.
func child(path string) error {
	r, err := Open(path, Passphrase(secretPhrase))
	if err != nil {
		return err
	}
	for i := range 12 {
		ids, err := r.Reserve(Subject, 1+i%4)
		if err != nil {
			return err
		}
		for _, id := range ids {
			key, err := r.Key(id)
			if err != nil {
				return err
			}
			fmt.Printf("%d %x\n", id, key)
		}
		if i%5 == 0 {
			if err := r.SetNamed("newest", ids[0]); err != nil {
				return err
			}
		}
	}
	return r.Close()
}

func TestOtherProcesses(t *testing.T) {
	r, path := tempRing(t)
	self := must[string](t)(os.Executable())
	var commands []*exec.Cmd
	var outputs []*bytes.Buffer
	for range 3 {
		command, out := exec.Command(self), new(bytes.Buffer)
		command.Env = append(os.Environ(), childRing+"="+path)
		command.Stdout, command.Stderr = out, os.Stderr
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		commands, outputs = append(commands, command), append(outputs, out)
	}
	made := map[string]bool{}
	for range 20 {
		id := must[KeyID](t)(r.New(Facts))
		made[fmt.Sprintf("%d %x", id, must[[]byte](t)(r.Key(id)))] = true
	}
	for i, command := range commands {
		if err := command.Wait(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(outputs[i]); lines.Scan(); {
			if made[lines.Text()] {
				t.Errorf("made twice")
			}
			made[lines.Text()] = true
		}
	}
	n := must[int](t)(r.Len())
	if n != len(made) || n != 20+3*30 {
		t.Errorf("%d slots, %d keys made", n, len(made))
	}
	for id := range KeyID(n) {
		if line := fmt.Sprintf("%d %x", id+1, must[[]byte](t)(r.Key(id+1))); !made[line] {
			t.Errorf("key %d is not what its maker was given", id+1)
		}
	}
	must[KeyID](t)(r.Named("newest"))
}

func BenchmarkKeyCached(b *testing.B) { benchmarkKey(b, false) }

func BenchmarkKeyUncached(b *testing.B) { benchmarkKey(b, true) }

func benchmarkKey(b *testing.B, forget bool) {
	r, err := Create(filepath.Join(b.TempDir(), "ring"), Passphrase(secretPhrase), cheap)
	if err != nil {
		b.Fatal(err)
	}
	id, err := r.New(Facts)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if forget {
			r.Forget(id)
		}
		if _, err := r.Key(id); err != nil {
			b.Fatal(err)
		}
	}
}
