package pgserver

import (
	"os/exec"
	"runtime"
	"syscall"
)

// start starts a command that ends with us, however we end. The kernel ties it
// to the thread that starts it, which therefore lives as long as the process.
func start(c *exec.Cmd) error {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = quit
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- c.Start()
		select {}
	}()
	return <-started
}
