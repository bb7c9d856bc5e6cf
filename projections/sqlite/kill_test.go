package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
	"github.com/daybook-ledger/daybook/testing/given"
	"github.com/daybook-ledger/daybook/testing/viewtest"
)

// victimPlace names, to a process of this test, the folder that it works on
// until it is killed.
const victimPlace = "DAYBOOK_TEST_VICTIM"

// victimLog is a log that two processes make alike.
func victimLog(invoices int) (*given.Book, *viewtest.Log) {
	b := given.New()
	b.Strict = false
	take := func(_ any, err error) {
		if err != nil {
			panic(err)
		}
	}
	take(b.Do(given.Open(b.ID)))
	take(b.Do(given.Register("ada")))
	for i := range invoices {
		take(b.Do(given.Enter(fmt.Sprint("invoice ", i), given.Content("ada", given.Line("1", fmt.Sprint(1+i), "S 20")))))
		if i%3 == 0 {
			take(b.Do(given.Credit(fmt.Sprint("credit ", i), fmt.Sprint("invoice ", i), "ada", given.Line("1", "1", "S 20"))))
		}
	}
	return b, viewtest.NewLog(b, 1)
}

func victimRing(dir string) (*keyring.Ring, error) {
	root := keyring.KeyFile(filepath.Join(dir, "root"))
	ring, err := keyring.Open(filepath.Join(dir, "ring"), root)
	if errors.Is(err, keyring.ErrMissing) {
		return keyring.Create(filepath.Join(dir, "ring"), root)
	}
	return ring, err
}

// victim applies page after page, then rebuilds for ever.
func victim(dir string) {
	err := func() error {
		ring, err := victimRing(dir)
		if err != nil {
			return err
		}
		_, log := victimLog(120)
		fmt.Println("ready")
		s, err := sqlite.Open(context.Background(), filepath.Join(dir, "views"), ring)
		if err != nil {
			return err
		}
		at, err := s.Cursor(context.Background())
		if err != nil {
			return err
		}
		for p, err := range log.Source()(context.Background(), at) {
			if err != nil {
				return err
			}
			if _, err := s.Apply(context.Background(), []projections.Page{p}); err != nil {
				return err
			}
		}
		for {
			if err := sqlite.Rebuild(context.Background(), filepath.Join(dir, "views"), ring, views.Rebuild{Log: log.Source()}); err != nil {
				return err
			}
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(3)
}

// TestKilled: whenever a process dies, in the middle of a page or of a rebuild,
// the views are what the log says at their cursor.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "root"), randomBytes(t, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := victimRing(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	whole, log := victimLog(120)
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for range 6 {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), victimPlace+"="+dir)
		command.Stderr = os.Stderr
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		if err := command.Process.Kill(); err != nil {
			t.Fatal("the process ended by itself: ", err)
		}
		if err := command.Wait(); command.ProcessState.ExitCode() != -1 {
			t.Fatal("the process ended by itself: ", err)
		}
		s := openViews(t, filepath.Join(dir, "views"), ring)
		status, err := s.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		viewtest.Agree(t, s, prefix(t, whole, int(status.Size)))
	}
	if err := sqlite.Rebuild(context.Background(), filepath.Join(dir, "views"), ring, views.Rebuild{Log: log.Source()}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "views", "views.*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files left behind: %v, %v", files, err)
	}
	viewtest.Agree(t, openViews(t, filepath.Join(dir, "views"), ring), whole)
}

// prefix is the book as it was after so many commits.
func prefix(t *testing.T, b *given.Book, commits int) *given.Book {
	t.Helper()
	part := given.New()
	part.Strict = false
	for _, c := range b.Log[:commits] {
		if err := part.Apply(c.Changes...); err != nil {
			t.Fatal(err)
		}
		part.Log = append(part.Log, c)
	}
	return part
}
