//go:build unix && !linux

package pgserver

import "os/exec"

// start starts a command.
func start(c *exec.Cmd) error { return c.Start() }
