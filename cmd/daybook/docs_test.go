package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what commands answer into the documents")

// TestDocuments runs the commands in the console blocks of docs/CLI.md, README.md
// and docs/OPERATIONS.md, each document's in one new folder, and holds their output against
// what stands there; -update writes it there. Ids, times, hashes and paths may
// differ, a line "…" stands for any lines, and JSON is indented in blocks marked
// "console json". Blocks marked "sh" are not run.
func TestDocuments(t *testing.T) {
	for _, path := range []string{"../../docs/CLI.md", "../../README.md", "../../docs/OPERATIONS.md"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := exec.LookPath("age-keygen"); err != nil && strings.HasSuffix(path, "OPERATIONS.md") {
				if os.Getenv("CI") != "" {
					t.Fatal("age is not installed")
				}
				t.Skip("age is not installed")
			}
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			shell := newShell(t)
			written := consoleBlock.ReplaceAllStringFunc(string(text), func(block string) string {
				return shell.block(t, block)
			})
			if *update && written != string(text) {
				if err := os.WriteFile(path, []byte(written), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

var consoleBlock = regexp.MustCompile("(?ms)^```console( json)?\n.*?^```$")

// shell runs the commands of one document.
type shell struct {
	home, path string
	exported   []string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{home: t.TempDir(), path: t.TempDir()}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// By this name the test binary is the program.
	if err := os.Mkdir(filepath.Join(s.home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{s.path, filepath.Join(s.home, "bin")} {
		if err := os.Symlink(program, filepath.Join(dir, "daybook")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(s.home, "examples"), os.DirFS("../../examples")); err != nil {
		t.Fatal(err)
	}
	return s
}

// run gives what a command prints on a terminal.
func (s *shell) run(command string) string {
	if setting, is := strings.CutPrefix(command, "export "); is {
		s.exported = append(s.exported, strings.ReplaceAll(setting, "$PWD", s.home))
		return ""
	}
	env := []string{
		"PATH=" + s.path + string(filepath.ListSeparator) + os.Getenv("PATH"), "HOME=" + s.home, "TZ=UTC", "TMPDIR=" + s.home,
		"DAYBOOK_CACHE_DIR=" + cacheDir(), "GORACE=atexit_sleep_ms=0",
	}
	env = append(env, s.exported...)
	if args, ours := words(command); ours {
		return s.inProcess(args, env)
	}
	c := exec.Command("sh", "-c", command)
	c.Dir, c.Env = s.home, env
	out, _ := c.CombinedOutput() // what it prints tells whether it failed
	return strings.ReplaceAll(string(out), s.home, "/home/ada")
}

// inProcess gives what the program prints, run in the test's process.
func (s *shell) inProcess(args, env []string) string {
	var out bytes.Buffer
	run(args, strings.NewReader(""), &out, &out, func(name string) string {
		for _, setting := range env {
			if value, is := strings.CutPrefix(setting, name+"="); is {
				return value
			}
		}
		return ""
	})
	return strings.ReplaceAll(out.String(), s.home, "/home/ada")
}

// block runs the commands of a block and gives the block with their output.
func (s *shell) block(t *testing.T, block string) string {
	t.Helper()
	head, rest, _ := strings.Cut(block, "\n")
	asJSON := strings.HasSuffix(head, " json")
	lines := strings.Split(strings.TrimSuffix(rest, "```"), "\n")
	lines = lines[:len(lines)-1]
	out := head + "\n"
	for len(lines) > 0 {
		command, shown := strings.TrimPrefix(lines[0], "$ "), lines[0]+"\n"
		lines = lines[1:]
		for len(lines) > 0 && strings.HasPrefix(lines[0], "> ") {
			command += "\n" + strings.TrimPrefix(lines[0], "> ")
			shown += lines[0] + "\n"
			lines = lines[1:]
		}
		var want []string
		for len(lines) > 0 && !strings.HasPrefix(lines[0], "$ ") {
			want = append(want, lines[0])
			lines = lines[1:]
		}
		got := s.run(command)
		if asJSON {
			got = indented(got)
		}
		got = strings.TrimSuffix(got, "\n")
		if !agree(got, strings.Join(want, "\n")) {
			if elided(want) || !*update {
				t.Errorf("$ %s\ngives\n%s\nand not\n%s", command, got, strings.Join(want, "\n"))
			}
		}
		out += shown
		switch {
		case elided(want):
			out += strings.Join(want, "\n") + "\n"
		case got != "":
			out += got + "\n"
		}
	}
	return out + "```"
}

func elided(lines []string) bool {
	for _, line := range lines {
		if line == "…" {
			return true
		}
	}
	return false
}

// indented indents each line that is JSON.
func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		var b bytes.Buffer
		if json.Indent(&b, []byte(strings.TrimSpace(line)), "", "  ") == nil && b.Len() > 0 {
			line = b.String() + "\n"
		}
		out.WriteString(line)
	}
	return out.String()
}

// masks are what may differ from run to run.
var masks = []struct {
	form *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`/home/ada/daybook-demo-\d+`), "DEMO"},
	{regexp.MustCompile(`(?m)^  \./bin/daybook`), "  daybook"}, // the test binary does not know how it was called
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}`), "+KEY"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{60,}=*`), "SIGNATURE"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "HASH"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{8}\b`), "ID"},
	{regexp.MustCompile(`/\d+-[0-9a-f]{16}\b`), "EPOCH"},
	{regexp.MustCompile(`\d+ pages|"pages": ?\d+`), "PAGES"}, // commands that come together share one
	{regexp.MustCompile(`(in|took) [0-9.]+m?s`), "$1 TIME"},
	{regexp.MustCompile(`[0-9]+s ago`), "SECONDS ago"},
	{regexp.MustCompile(`(?m)^(\S+ +[a-z]+ +)20\d\d-\d\d-\d\d$`), "${1}DAY"}, // since when a role was granted
	{regexp.MustCompile(`daybook \S+ \(go[0-9.]+\)`), "VERSION"},
}

func masked(text string) string {
	for _, m := range masks {
		text = m.form.ReplaceAllString(text, m.mask)
	}
	return text
}

// agree holds an output against what stands in the document.
func agree(got, want string) bool {
	got, want = masked(got), masked(want)
	parts := strings.Split("\n"+want+"\n", "\n…\n")
	rest := "\n" + got + "\n"
	if len(parts) == 1 {
		return got == want
	}
	for i, part := range parts {
		at := strings.Index(rest, part)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return rest == "" || parts[len(parts)-1] == ""
}
