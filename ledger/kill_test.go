package ledger_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/ledger"
)

// serve starts the embedded server of a world's folder and opens its log.
func serve(t *testing.T, w *world, create bool) func() {
	t.Helper()
	server, err := jetstream.Start(jetstream.Config{Dir: w.path("store"), Book: w.book})
	if err != nil {
		t.Fatal(err)
	}
	if create {
		if err := jetstream.Create(t.Context(), server, w.book, 1); err != nil {
			t.Fatal(err)
		}
	}
	store, err := jetstream.Open(t.Context(), server, w.book)
	if err != nil {
		t.Fatal(err)
	}
	w.store = store
	return func() {
		if err := errors.Join(store.Close(), server.Shutdown()); err != nil {
			t.Error(err)
		}
	}
}

// TestKilledChild is the process that TestKillAtEveryStep kills: it enters
// invoices, tells each receipt on its standard output, and ends itself, as kill
// -9 would, when it comes to a step for the n-th time.
func TestKilledChild(t *testing.T) {
	dir, step := os.Getenv("DAYBOOK_KILL_DIR"), os.Getenv("DAYBOOK_KILL_STEP")
	if dir == "" {
		t.Skip("only as a child of TestKillAtEveryStep")
	}
	left, err := strconv.ParseInt(os.Getenv("DAYBOOK_KILL_AFTER"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, dir, nil)
	serve(t, w, false)
	var n atomic.Int64
	n.Store(left)
	w.step = func(at string) {
		if at == step && n.Add(-1) == 0 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			select {}
		}
	}
	o := w.mustOpen("a", w.store)
	run := os.Getenv("DAYBOOK_KILL_RUN")
	var out sync.Mutex
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			for i := range 25 {
				r, err := o.Do(context.Background(), w.enter(fmt.Sprint(run, "/", caller, "/", i)))
				if err != nil {
					t.Error(err)
					return
				}
				line, err := json.Marshal(r)
				if err != nil {
					t.Error(err)
				}
				out.Lock()
				fmt.Fprintf(os.Stdout, "\nreceipt %s\n", line)
				out.Unlock()
			}
		})
	}
	group.Wait()
	o.close(t)
}

// A process that is killed at any step, again and again, loses nothing that it
// acknowledged and doubles nothing.
func TestKillAtEveryStep(t *testing.T) {
	t.Parallel()
	kills := 1
	if text := os.Getenv("DAYBOOK_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	stop := serve(t, w, true)
	o := w.mustOpen("a", w.store)
	w.begin(o)
	o.close(t)
	stop()
	var h history
	ended := 0
	for round := range kills {
		for _, step := range steps {
			if killed(t, w, &h, step, 1+random.IntN(20), fmt.Sprint(round, step)) {
				ended++
			}
		}
	}
	if ended < kills*len(steps)/2 {
		t.Errorf("only %d of %d processes were killed", ended, kills*len(steps))
	}
	stop = serve(t, w, false)
	w.verify(&h, "a")
	stop()
	if len(h.receipts) == 0 {
		t.Error("nothing was acknowledged")
	}
	t.Logf("%d processes killed, %d commands acknowledged, none lost, none doubled", ended, len(h.receipts))
}

// killed runs a child until it ends, takes down its receipts, and reports
// whether it was killed.
func killed(t *testing.T, w *world, h *history, step string, after int, run string) bool {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	child.Env = append(os.Environ(), "DAYBOOK_KILL_DIR="+w.dir, "DAYBOOK_KILL_STEP="+step,
		"DAYBOOK_KILL_AFTER="+strconv.Itoa(after), "DAYBOOK_KILL_RUN="+run)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, found := strings.CutPrefix(lines.Text(), "receipt ")
		if !found {
			if strings.Contains(lines.Text(), "FAIL") || strings.Contains(lines.Text(), "_test.go") {
				t.Errorf("the child at %s: %s", step, lines.Text())
			}
			continue
		}
		var r ledger.Receipt
		if err := json.Unmarshal([]byte(text), &r); err == nil {
			h.add(r)
		} // else the line was cut off by the kill: the receipt was not given
	}
	err = child.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, ok := exit.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true
		}
	}
	if err != nil {
		t.Errorf("the child at %s: %v", step, err)
	}
	return false
}
