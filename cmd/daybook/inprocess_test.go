package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Most commands of scripts and documents run inside the test's process: a new
// process for each takes several times as long, under the race detector above
// all. What needs a process of its own, for its folder, its stdin, its terminal,
// its signals or its death, has one.

// pathFlags name the flags whose values are paths. The test's process is in
// another folder than the script is, so that paths are made absolute.
var pathFlags = []string{"--dir", "--key-file", "--passphrase-file", "--new-key-file", "--new-passphrase-file", "--map", "--rejects", "--receipt", "--identity", "--trust", "--expect", "--out", "--state", "--book-identity", "--scratch"}

// pathFlag reports whether a flag's value is a path; those of --from and --to are
// dates but where they name an archive.
func pathFlag(command, flag string) bool {
	archives := slices.Contains([]string{"backup", "restore", "repair"}, command) && (flag == "--to" || flag == "--from")
	return archives || slices.Contains(pathFlags, flag)
}

// pathEnds are how arguments end that are paths.
var pathEnds = []string{".json", ".receipt", ".bundle", ".identity"}

// absoluteArgs makes the paths among a command's arguments absolute.
func absoluteArgs(args []string, absolute func(string) string) []string {
	args = slices.Clone(args)
	for i := 1; i < len(args); i++ {
		file := strings.HasSuffix(args[i], ".csv") && args[0] == "import" || slices.ContainsFunc(pathEnds, func(end string) bool { return strings.HasSuffix(args[i], end) })
		if (file || pathFlag(args[0], args[i-1])) && !strings.Contains(args[i], "://") {
			args[i] = absolute(args[i])
		}
	}
	return args
}

// inProcess runs the program in the test's process for a script.
func inProcess(ts *testscript.TestScript, args []string) int {
	env := func(name string) string {
		value := ts.Getenv(name)
		if value != "" && slices.Contains([]string{"DAYBOOK_KEY_FILE", "DAYBOOK_PASSPHRASE_FILE"}, name) {
			return ts.MkAbs(value)
		}
		return value
	}
	args = append([]string{"daybook"}, absoluteArgs(args, ts.MkAbs)...)
	return run(args, strings.NewReader(""), ts.Stdout(), ts.Stderr(), env)
}

// daybook is the command of scripts that runs the program in the test's process.
func daybook(ts *testscript.TestScript, neg bool, args []string) {
	if code := inProcess(ts, args); (code == exitDone) == neg {
		ts.Fatalf("exit code %d", code)
	}
}

// words divides a command line as a shell would; ok tells that it is a call of
// the program and nothing else, without paths of the shell's own folder.
func words(line string) (args []string, ok bool) {
	line = strings.ReplaceAll(line, "\\\n", " ")
	if strings.ContainsAny(line, "\n|;<>$`*~") {
		return nil, false
	}
	var word strings.Builder
	quote, inside := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote == 0 && r == ' ':
			if inside {
				args = append(args, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if inside {
		args = append(args, word.String())
	}
	if len(args) == 0 || filepath.Base(args[0]) != "daybook" || slices.Contains(args, "demo") {
		return nil, false
	}
	for i, arg := range args {
		if i > 0 && pathFlag(args[1], arg) || i > 0 && absoluteArgs(args[1:], func(string) string { return "" })[i-1] != arg {
			return nil, false
		}
	}
	return args, true
}
