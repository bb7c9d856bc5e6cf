// Package pgserver runs a PostgreSQL server for tests: on 127.0.0.1, in a
// temporary folder, ended with the tests.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a server under test.
type Server struct {
	dir  string // holds data and socket, and belongs to whoever runs the server
	bin  string
	port int
	run  *exec.Cmd
	user *owner
	made atomic.Int64
}

// bin gives the folder of PostgreSQL's programs, empty where it is not installed.
func bin() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// Found reports whether PostgreSQL is installed. In CI it must be.
func Found(t testing.TB) bool {
	t.Helper()
	if bin() == "" && os.Getenv("CI") != "" {
		t.Fatal("PostgreSQL is not installed, and CI must not skip its tests")
	}
	return bin() != ""
}

// Missing skips a test, saying so, where PostgreSQL is not installed. In CI it
// fails instead.
func Missing(t testing.TB) {
	t.Helper()
	if Found(t) {
		return
	}
	t.Skip("PostgreSQL is not installed (Debian: postgresql): its tests are skipped")
}

// Start makes a server and starts it, with more settings of the form name=value.
func Start(settings ...string) (s *Server, err error) {
	s = &Server{bin: bin()}
	if s.bin == "" {
		return nil, errors.New("pgserver: PostgreSQL is not installed")
	}
	if s.user, err = nobody(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "daybook-pg-"); err != nil {
		return nil, err
	}
	if err := s.user.owns(s.dir); err != nil {
		return nil, err
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "daybook", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pgserver: initdb: %w: %s", err, out)
	}
	// The tests kill processes, not machines: what was written stays written.
	lines := append([]string{"fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB", "max_wal_size=1GB"}, settings...)
	for i, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		lines[i] = name + " = '" + value + "'"
	}
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = conf.WriteString(strings.Join(lines, "\n") + "\n")
	if err := errors.Join(err, conf.Close()); err != nil {
		return nil, err
	}
	return s, s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	s.user.runs(c)
	return c
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Address is where the server listens.
func (s *Server) Address() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// Data is the folder of its files.
func (s *Server) Data() string { return s.data() }

// URL names a database of the server.
func (s *Server) URL(database string) string {
	return "postgres://daybook@" + s.Address() + "/" + database
}

// Restart starts the server and waits until it answers. What a killed one left
// running, and the memory it shares, may take a moment to be gone.
func (s *Server) Restart() error {
	deadline := time.Now().Add(time.Minute)
	for {
		// Each has an output of its own: what a killed one left running writes on.
		out := new(bytes.Buffer)
		s.run = s.command("postgres", "-D", s.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-k", s.dir)
		s.run.Stdout, s.run.Stderr, s.run.WaitDelay = out, out, time.Second
		if err := start(s.run); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func(run *exec.Cmd) { ended <- run.Wait() }(s.run)
		err := s.answers(ended, out, deadline)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("pgserver: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// answers waits until the server answers. Its output is complete once it ended.
func (s *Server) answers(ended <-chan error, out *bytes.Buffer, deadline time.Time) error {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, s.URL("postgres"))
		cancel()
		if err == nil {
			return c.Close(context.Background())
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the server ended: %w: %s", err, out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// Kill ends the server as a crash does.
func (s *Server) Kill() error { return s.run.Process.Kill() }

// Stop ends the server and removes its files.
func (s *Server) Stop() error {
	var err error
	if s.run != nil {
		if err = s.run.Process.Signal(quit); errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if c, err := net.Dial("tcp", s.Address()); err != nil {
			break
		} else {
			c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Database makes an empty database and gives its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "test_" + strconv.FormatInt(s.made.Add(1), 10)
	c, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}
