package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/daybook-ledger/daybook/testing/compiled"
)

// TestMain lets scripts run the program: the test binary stands in for it.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"daybook": main})
}

// tests makes SQLite ready before they run.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	compiled.SQLite()
	return t.m.Run()
}

// cacheDir is where compiled.SQLite keeps what it compiled.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "daybook-test")
}

// TestScripts runs the scripts in testing/scripts. Besides the commands of
// testscript they have:
//
//	exits CODE COMMAND…   runs a command, whose exit code must be this
//	json PATH [VALUE]     the last stdout is a JSON object that has this value at
//	                      the path (a.0.b); without VALUE, that has one at all
//	json -len PATH N      the value at the path has N elements
//	keep NAME PATH        sets a variable to the value at the path
//	error CODE            the last stderr is a JSON error with this code and a hint
//	hold [FILE]           a process that imports holds the book: it has read FILE
//	                      and waits for more
//	release, kill         let it end; kill it
//	interrupt             sends it SIGINT and waits for it to end
//	flip FILE OFFSET      turns the bits of a byte around; from the end if negative
//	foreign DIR           puts a message into the stream that is no page
//	repeat N TEXT FILE    adds a text N times to a file
//	binary FILE HEX       adds bytes to a file
func TestScripts(t *testing.T) {
	holders := &holders{}
	testscript.Run(t, testscript.Params{
		Dir: "../../testing/scripts",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DAYBOOK_CACHE_DIR", cacheDir())
			env.Setenv("TZ", "UTC")
			env.Setenv("DAYBOOK_DIR", filepath.Join(env.WorkDir, "book"))
			env.Setenv("EXAMPLES", absolute(t, "../../examples"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "json": jsonValue, "keep": keepValue, "error": errorCode,
			"hold": holders.hold, "release": holders.release, "kill": holders.kill, "interrupt": holders.interrupt,
			"flip": flip, "foreign": foreign, "repeat": repeat, "binary": binary,
		},
		RequireExplicitExec: true,
	})
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}
