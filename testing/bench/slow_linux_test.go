package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// slower is how many microseconds each flush takes more on a slow disk: what many
// disks take that keep what they were told to flush.
const slower = 4000

// BenchmarkSlowDisk is BenchmarkCommands where each flush takes longer: a program
// that traces a process makes its flushes wait, those of the plain publishes as those
// of the commands. So it shows what is gained by taking commands together where that
// gains something.
func BenchmarkSlowDisk(b *testing.B) {
	if path := os.Getenv("DAYBOOK_BENCH_TRACED"); path != "" {
		traced(b, path)
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		b.Skip("flushes are made slow by strace, which is not there")
	}
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "taken")
		self := exec.CommandContext(b.Context(), strace, "-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "trace=fsync,fdatasync",
			"-e", fmt.Sprintf("inject=fsync,fdatasync:delay_exit=%d", slower),
			os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkSlowDisk$", "-test.benchtime", "1x")
		self.Env = append(os.Environ(), "DAYBOOK_BENCH_TRACED="+path)
		if out, err := self.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		var all []taken
		if err := json.Unmarshal(text, &all); err != nil || len(all) != len(commandAims) {
			b.Fatalf("%d measurements: %v", len(all), err)
		}
		for i, a := range commandAims {
			a.report(b, all[i], ", where a flush takes 4 ms more")
		}
	}
}

// traced measures, in the process whose flushes are slow, and tells the other one.
func traced(b *testing.B, path string) {
	var all []taken
	for _, a := range commandAims {
		all = append(all, a.take(b))
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}
