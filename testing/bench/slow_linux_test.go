package bench

import (
	"fmt"
	"os"
	"os/exec"
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
	if apart() {
		var all []taken
		for _, a := range commandAims {
			all = append(all, a.take(b))
		}
		tell(b, all)
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		b.Skip("flushes are made slow by strace, which is not there")
	}
	for b.Loop() {
		var all []taken
		inProcess(b, "BenchmarkSlowDisk", "", &all, strace, "-f", "--seccomp-bpf", "-o", os.DevNull, "-e", "trace=fsync,fdatasync",
			"-e", fmt.Sprintf("inject=fsync,fdatasync:delay_exit=%d", slower))
		if len(all) != len(commandAims) {
			b.Fatalf("%d measurements", len(all))
		}
		for i, a := range commandAims {
			a.report(b, all[i], ", where a flush takes 4 ms more")
		}
	}
}
