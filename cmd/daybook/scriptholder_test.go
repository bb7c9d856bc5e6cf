package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
)

// holders are the processes that hold a book, by script.
type holders struct {
	running sync.Map // of *testscript.TestScript to *holder
}

// holder is a process that imports from a pipe: it holds the book until the pipe
// is closed.
type holder struct {
	process *exec.Cmd
	input   io.WriteCloser
	output  string
	ended   chan struct{}
	err     error
}

func (h *holders) hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: hold [FILE]")
	}
	dir := ts.MkAbs("book")
	_ = os.Remove(filepath.Join(dir, "connect")) // a dead process may have left it
	command := exec.Command(program(ts), "import", "csv", "--json", "--map", ts.MkAbs("map.toml"), "-")
	command.Dir = ts.MkAbs(".")
	command.Env = []string{
		"DAYBOOK_DIR=" + dir, "DAYBOOK_CACHE_DIR=" + ts.Getenv("DAYBOOK_CACHE_DIR"), "TZ=UTC",
		"TMPDIR=" + ts.Getenv("TMPDIR"), "HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"), "GORACE=atexit_sleep_ms=0",
	}
	started := &holder{process: command, output: ts.MkAbs("holder.out"), ended: make(chan struct{})}
	out, err := os.Create(started.output)
	ts.Check(err)
	errs, err := os.Create(ts.MkAbs("holder.err"))
	ts.Check(err)
	command.Stdout, command.Stderr = out, errs
	started.input, err = command.StdinPipe()
	ts.Check(err)
	ts.Check(command.Start())
	go func() {
		started.err = command.Wait()
		out.Close()
		errs.Close()
		close(started.ended)
	}()
	h.running.Store(ts, started)
	ts.Defer(func() {
		_ = command.Process.Kill() // in case the script has failed
		<-started.ended
	})
	text := "number,date,quantity,price,customer\n"
	if len(args) == 1 {
		text = ts.ReadFile(args[0])
	}
	_, err = io.WriteString(started.input, text)
	ts.Check(err)
	started.await(ts, dir)
}

// program finds the program where the script would.
func program(ts *testscript.TestScript) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, ownProcess)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("%s is nowhere", ownProcess)
	return ""
}

// await waits until the process has announced that it holds the book.
func (h *holder) await(ts *testscript.TestScript, dir string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "connect")); err == nil {
			return
		}
		select {
		case <-h.ended:
			ts.Fatalf("the holder has ended: %v", h.err)
		default:
		}
	}
	ts.Fatalf("the holder does not hold the book")
}

func (h *holders) of(ts *testscript.TestScript) *holder {
	running, found := h.running.Load(ts)
	if !found {
		ts.Fatalf("nobody holds the book")
	}
	return running.(*holder)
}

func (h *holders) release(ts *testscript.TestScript, neg bool, _ []string) {
	running := h.of(ts)
	ts.Check(running.input.Close())
	<-running.ended
	if (running.err == nil) == neg {
		ts.Fatalf("the holder ended with %v", running.err)
	}
}

func (h *holders) murder(ts *testscript.TestScript, _ bool, _ []string) {
	running := h.of(ts)
	ts.Check(running.process.Process.Kill())
	<-running.ended
}

func (h *holders) interrupt(ts *testscript.TestScript, _ bool, _ []string) {
	running := h.of(ts)
	ts.Check(running.process.Process.Signal(syscall.SIGINT))
	<-running.ended
	if code := running.process.ProcessState.ExitCode(); code != exitFailed {
		ts.Fatalf("the holder ended with exit code %d: %s", code, ts.ReadFile("holder.err"))
	}
}

// foreign puts a message that is no page into a book's stream, as somebody could
// who has the folder and a NATS server.
func foreign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: foreign DIR")
	}
	dir := ts.MkAbs(args[0])
	info, err := bookdir.ReadInfo(dir)
	ts.Check(err)
	config := ts.MkAbs("foreign.conf")
	ts.Check(os.WriteFile(config, fmt.Appendf(nil, `
		listen: "127.0.0.1:-1"
		jetstream { store_dir: %q }
		accounts { book { jetstream: enabled, users: [ { user: a, password: b } ] } }
	`, filepath.Join(dir, "store")), 0o600))
	options, err := server.ProcessConfigFile(config)
	ts.Check(err)
	options.NoSigs = true
	running, err := server.NewServer(options)
	ts.Check(err)
	running.Start()
	defer func() {
		running.Shutdown()
		running.WaitForShutdown()
	}()
	if !running.ReadyForConnections(10 * time.Second) {
		ts.Fatalf("the server is not ready")
	}
	conn, err := nats.Connect(running.ClientURL(), nats.UserInfo("a", "b"))
	ts.Check(err)
	defer conn.Close()
	_, err = conn.Request("book."+info.Book.String()+".pages", []byte("foreign"), 5*time.Second)
	ts.Check(err)
}
