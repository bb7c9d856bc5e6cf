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
	"github.com/daybook-ledger/daybook/testing/pgserver"
)

// ownProcess is the name of the program in scripts where it needs a process of
// its own: by its usual name it runs in the test's process.
const ownProcess = "daybook-process"

// TestMain lets scripts and documents run the program: the test binary stands in
// for it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "daybook" {
		main()
	}
	testscript.Main(tests{m}, map[string]func(){ownProcess: main})
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
//	daybook …             runs the program in the test's process, and
//	                      exec daybook-process … in one of its own
//	exits CODE daybook …  runs it so, or so, and the exit code must be this
//	json PATH [VALUE]     the last stdout is a JSON object that has this value at
//	                      the path (a.0.b); without VALUE, that has one at all
//	json -len PATH N      the value at the path has N elements
//	keep NAME PATH        sets a variable to the value at the path
//	error CODE            the last stderr is a JSON error with this code and a hint
//	hold [FILE]           a process that imports holds the book: it has read FILE
//	                      and waits for more
//	release, murder       let it end; kill it with -9
//	interrupt             sends it SIGINT and waits for it to end
//	flip FILE OFFSET      turns the bits of a byte around; from the end if negative
//	foreign DIR           puts a message into the stream that is no page
//	repeat N TEXT FILE    adds a text N times to a file
//	binary FILE HEX       adds bytes to a file
//	copytree FROM TO      copies a folder
//	flipblock DIR         turns a byte of the log around
//	postgres start|stop   a PostgreSQL server with the database $PGURL
//	damageviews DIR       turns bytes of the views around
func TestScripts(t *testing.T) {
	holders := &holders{}
	testscript.Run(t, testscript.Params{
		Dir: "../../testing/scripts",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DAYBOOK_CACHE_DIR", cacheDir())
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command would sleep a second
			env.Setenv("DAYBOOK_DIR", filepath.Join(env.WorkDir, "book"))
			env.Setenv("EXAMPLES", absolute(t, "../../examples"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "postgres" {
				return false, errors.New("no such condition: " + cond)
			}
			return pgserver.Found(t), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daybook": daybook, "exits": exits, "json": jsonValue, "keep": keepValue, "error": errorCode,
			"hold": holders.hold, "release": holders.release, "murder": holders.murder, "interrupt": holders.interrupt,
			"flip": flip, "foreign": foreign, "repeat": repeat, "binary": binary,
			"copytree": copytree, "flipblock": flipBlock, "damageviews": damageViews,
			"postgres": database,
		},
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
	if neg || len(args) < 3 || args[1] != "daybook" && args[1] != "exec" {
		ts.Fatalf("usage: exits CODE [exec] daybook…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if args[1] == "daybook" {
		code = inProcess(ts, args[2:])
	} else {
		var exit *exec.ExitError
		if err := ts.Exec(args[2], args[3:]...); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else {
			ts.Check(err)
		}
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}
