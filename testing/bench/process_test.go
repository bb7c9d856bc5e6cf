package bench

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The environment of a benchmark that runs in a process of its own: where to tell
// what it measured, and what it is to measure.
const (
	tellTo  = "DAYBOOK_BENCH_TELL"
	subject = "DAYBOOK_BENCH_SUBJECT"
)

// apart reports whether this is such a process.
func apart() bool { return os.Getenv(tellTo) != "" }

// inProcess runs a benchmark of this package in a process of its own, as an argument
// of wrapper where that is given, and reads what it tells.
func inProcess(b *testing.B, benchmark, of string, told any, wrapper ...string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "told")
	args := append(wrapper, os.Args[0], "-test.run", "^$", "-test.bench", "^"+benchmark+"$", "-test.benchtime", "1x")
	self := exec.CommandContext(b.Context(), args[0], args[1:]...)
	self.Env = append(os.Environ(), tellTo+"="+path, subject+"="+of)
	if out, err := self.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, told)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// tell tells the process that started this one what was measured.
func tell(b *testing.B, measured any) {
	b.Helper()
	text, err := json.Marshal(measured)
	if err == nil {
		err = os.WriteFile(os.Getenv(tellTo), text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}
