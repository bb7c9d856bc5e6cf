package bookdir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
)

// TestKilledRepair is the process that TestARepairIsKilled kills.
func TestKilledRepair(t *testing.T) {
	dir, step := os.Getenv("DAYBOOK_KILL_DIR"), os.Getenv("DAYBOOK_KILL_STEP")
	if dir == "" {
		t.Skip("only as a child of TestARepairIsKilled")
	}
	r := Repair{
		Root: keyring.KeyFile(os.Getenv("DAYBOOK_KILL_KEY")), AcceptLoss: new(uint64(1)), Principal: "owner", Clock: SystemClock(), Log: quiet(),
		step: func(at string) {
			fmt.Fprintf(os.Stdout, "\nstep %s\n", at)
			if at == step {
				if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
					t.Error(err)
				}
				select {}
			}
		},
	}
	if _, err := r.Do(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

// repairSteps runs a repair in a process of its own, which ends itself at a step as kill -9
// would, and gives the steps that it came to.
func repairSteps(t *testing.T, dir, key, step string) (came []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledRepair$")
	child.Env = append(os.Environ(), "DAYBOOK_KILL_DIR="+dir, "DAYBOOK_KILL_KEY="+key, "DAYBOOK_KILL_STEP="+step)
	out, err := child.Output()
	var exit *exec.ExitError
	if killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; killed != (step != "") {
		t.Fatalf("at %q: %v, %s", step, err, out)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if at, is := strings.CutPrefix(lines.Text(), "step "); is {
			came = append(came, at)
		}
	}
	return came
}

// A repair that is killed at any step, and its successor at any step after that, leaves
// the book as it was or repaired, and the next brings it to its end.
func TestARepairIsKilled(t *testing.T) {
	t.Parallel()
	a := newArchived(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte{7, 201}, 16), 0o600); err != nil {
		t.Fatal(err)
	}
	admin, err := OpenAdmin(t.Context(), a.dir, "", a.options)
	if err == nil {
		a.options.Root = keyring.KeyFile(key)
		err = errors.Join(admin.ChangeRoot(a.options.Root, key), admin.Close(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	a.enter(t, false, "Ada", "Bob", "Cy")
	a.with(t, func(b *Book) { list(t, b) })
	cut(t, a.dir, 200)
	fresh := func() string {
		dir := filepath.Join(t.TempDir(), "book")
		if err := os.CopyFS(dir, os.DirFS(a.dir)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	survivors := a.receipts[:len(a.receipts)-1]
	steps := repairSteps(t, fresh(), key, "")
	if len(steps) < 15 {
		t.Fatalf("%v", steps)
	}
	committed := slices.Index(steps, "committed")
	for i, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			dir := fresh()
			was := listing(t, dir)
			repairSteps(t, dir, key, step)
			r := Repair{Clock: SystemClock(), Log: quiet()}
			switch {
			case i < committed: // the book is as it was
				removeAll(t, filepath.Join(dir, repairingName))
				same(t, dir, was)
				repairSteps(t, dir, key, step)
				if _, err := Open(t.Context(), dir, a.options); !errors.Is(err, ledger.ErrLogShort) {
					t.Errorf("%v", err)
				}
				if _, err := os.Stat(filepath.Join(dir, repairingName)); err == nil {
					t.Error("keys are left in the folder of a repair that was cut short")
				}
				repairSteps(t, dir, key, step) // and what was begun is begun anew
				r.Root, r.Principal, r.AcceptLoss = a.options.Root, "owner", new(uint64(1))
			case step != "put":
				if _, err := Open(t.Context(), dir, a.options); !errors.Is(err, ErrRepairing) {
					t.Errorf("%v", err)
				}
				if i+1 < len(steps) { // and is killed again while it is brought to its end
					repairSteps(t, dir, key, steps[i+1])
				}
			}
			if i+1 < len(steps)-1 || i < committed {
				done, err := r.Do(t.Context(), dir)
				if err != nil || done.Info.Epoch != 2 || done.Loss.Commits() != 1 || !done.Begun || done.Receipt == nil || done.Kept != filepath.Join(dir, "damaged", "1") {
					t.Fatalf("%+v, %v", done, err)
				}
			}
			b := &archived{dir: dir, options: a.options, receipts: slices.Clone(survivors)}
			sound(t, dir, a.options, b.receipts...)
			b.enter(t, false, "Di")
			sound(t, dir, a.options, b.receipts...)
			b.with(t, func(b *Book) { list(t, b) })
			for _, name := range []string{repairingName, repairedName, formerName} {
				if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
					t.Errorf("%s is left", name)
				}
			}
			if all, err := os.ReadDir(filepath.Join(dir, "damaged")); err != nil || len(all) != 1 {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}
