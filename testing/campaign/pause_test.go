package campaign

import (
	"os/exec"
	"syscall"
	"testing"
)

// pause stops a process, or lets it go on.
func pause(t *testing.T, c *exec.Cmd, stop bool) {
	t.Helper()
	signal := syscall.SIGCONT
	if stop {
		signal = syscall.SIGSTOP
	}
	if err := c.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	note("the process with id %d: %s", c.Process.Pid, signal)
}
