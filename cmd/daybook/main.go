// Command daybook keeps a ledger of invoices: an append-only, signed and
// encrypted log of everything that was invoiced, and the lists and reports that
// follow from it.
//
// docs/CLI.md describes every command, its JSON answers and the codes of its
// errors.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = ""

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2
)

func main() {
	// Whoever reads the answer may stop before its end, as head does. The write then
	// fails, instead of the process before the book is closed.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// run runs the program with the arguments of a process, the program's own name
// first, and gives the exit code. A signal ends it cleanly; a second one at once.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := newApp(args, stdin, stdout, stderr, env)
	return a.finish(ctx, a.command().ExecuteContext(ctx))
}
