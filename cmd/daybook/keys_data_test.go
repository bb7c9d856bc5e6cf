package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

// killed runs the program in a process of its own and kills it after a while, if
// it still runs then.
func (h home) killed(after time.Duration, args ...string) (wasKilled bool) {
	h.Helper()
	program := filepath.Join(filepath.Dir(h.dir), "daybook")
	if _, err := os.Lstat(program); err != nil {
		self, err := os.Executable()
		if err == nil {
			err = os.Symlink(self, program) // by this name the test binary is the program
		}
		if err != nil {
			h.Fatal(err)
		}
	}
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), "DAYBOOK_DIR="+h.dir, "DAYBOOK_CACHE_DIR="+cacheDir(), "GORACE=atexit_sleep_ms=0")
	var told strings.Builder
	c.Stderr = &told
	if err := c.Start(); err != nil {
		h.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	err := c.Wait()
	if wasKilled = err != nil && !c.ProcessState.Exited(); err != nil && !wasKilled {
		h.Fatalf("daybook %s: %s", strings.Join(args, " "), told.String())
	}
	timer.Stop()
	return wasKilled
}

// Killed at any time while its root key is changed, its data keys are rotated or
// a customer is erased, a book opens with one of the two root keys, holds what it
// held, and takes commands.
func TestKilledWhileChangingKeys(t *testing.T) {
	folder := t.TempDir()
	h := home{t, filepath.Join(folder, "book"), filepath.Join(folder, "key")}
	h.run("init", "--key-file", h.key, "--name", "Acme Ltd", "--currency", "GBP", "--country", "GB")
	h.run("customer", "add", "Ada", "--country", "GB")
	other := filepath.Join(folder, "other")
	if err := os.WriteFile(other, []byte(strings.Repeat("\x00\xff", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	opens := func(key string) bool {
		ring, err := keyring.Open(filepath.Join(h.dir, "ring"), keyring.KeyFile(key))
		if err == nil {
			err = ring.Close()
		}
		return err == nil
	}
	// What a whole run takes tells when to kill one.
	begun := time.Now()
	h.killed(time.Minute, "keys", "rotate", "--data", "--key-file", h.key)
	whole := time.Since(begun)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for i := range 12 {
		after := whole/4 + time.Duration(random.Int64N(int64(whole)))
		args := []string{"keys", "passphrase", "--new-key-file", other}
		switch i % 3 {
		case 1:
			args = []string{"keys", "rotate", "--data"}
		case 2:
			name := "Bob " + time.Duration(i).String()
			h.run("customer", "add", name, "--country", "GB", "--key-file", h.key)
			args = []string{"customer", "erase", name, "--reason", "asked"}
		}
		if h.killed(after, append(args, "--key-file", h.key)...) {
			kills++
		}
		if !opens(h.key) {
			if !opens(other) {
				t.Fatalf("killed after %s at %v: neither root key opens the ring", after, args)
			}
			h.key, other = other, h.key
		}
		// The key file is named, for book.json may name the other one still.
		h.run("customer", "edit", "Ada", "--city", after.String(), "--key-file", h.key)
		if list := h.run("customer", "list", "--key-file", h.key); !strings.Contains(list, "Ada") {
			t.Fatalf("killed after %s at %v: %s", after, args, list)
		}
	}
	if kills == 0 {
		t.Error("no process was killed")
	}
	h.run("verify", "--key-file", h.key)
}
