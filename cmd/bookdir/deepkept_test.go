package bookdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/testing/given"
)

// deeply verifies a book deeply, keeping what it comes to after every page, and stops
// after so many pages, -1 for none. It gives how many pages it looked at.
func deeply(t *testing.T, dir string, o Options, resume bool, stop int) (r Report, pages int, err error) {
	t.Helper()
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	d, err := OpenDeep(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(context.Background())
	if err := d.Keep(resume); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err = l.Verify(ctx, VerifyOptions{Deep: d, Resume: resume, keepEvery: time.Nanosecond, Slow: func() {
		if pages == stop {
			cancel()
			time.Sleep(time.Millisecond)
		}
		pages++
	}})
	return r, pages, err
}

// TestDeepGoesOn: a deep verification that was stopped after any page goes on from
// about there, and comes to the same as one that was not.
func TestDeepGoesOn(t *testing.T) {
	f := bookkeeper(t)
	whole, all, err := deeply(t, copyOf(t, f.new), f.options, false, -1)
	if err != nil || !whole.OK || whole.Attested.Checked != 1 {
		t.Fatalf("%+v, %v", whole, err)
	}
	for stop := range all {
		dir := copyOf(t, f.new)
		if _, _, err := deeply(t, dir, f.options, false, stop); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		r, pages, err := deeply(t, dir, f.options, true, -1)
		if err != nil {
			t.Fatal(err)
		}
		if pages > all-stop+1 {
			t.Errorf("stopped after page %d of %d, it looked at %d pages again", stop, all, pages)
		}
		r.From = 0
		r.Attested.Checked = 1 // those that were compared before are not again
		if fmt.Sprintf("%+v", r) != fmt.Sprintf("%+v", whole) {
			t.Errorf("stopped after page %d:\n%+v\nin one go\n%+v", stop, r, whole)
		}
		if _, pages, err := deeply(t, dir, f.options, true, -1); err != nil || pages != 0 {
			t.Errorf("at the end it looked at %d pages: %v", pages, err)
		}
	}
}

// TestDeepBeginsAgain: where what was kept is gone, altered, of another check or of
// before an erasure, a deep verification begins at the beginning.
func TestDeepBeginsAgain(t *testing.T) {
	f := bookkeeper(t)
	for name, change := range map[string]func(dir string) error{
		"gone": func(dir string) error { return os.Remove(filepath.Join(dir, "verified.states")) },
		"altered": func(dir string) error {
			path := filepath.Join(dir, "verified.states")
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i := 4096; i < len(data); i += 64 {
				data[i] ^= 0xff
			}
			return os.WriteFile(path, data, 0o600)
		},
		"the head alone is older": func(dir string) error {
			old := filepath.Join(dir, "verified.old")
			return os.Rename(old, filepath.Join(dir, "verified"))
		},
		"of before an erasure": func(dir string) error {
			b, err := Open(t.Context(), dir, f.options)
			if err != nil {
				return err
			}
			_, err = b.Do(t.Context(), ledger.Envelope{
				ID: uuid.Must(uuid.NewV7()), Principal: "owner",
				Command: &erasure.Erase{Customer: given.ID("bob"), Scope: customer.All, Reason: "asked"},
			})
			return errors.Join(err, b.Close(context.Background()))
		},
		"the head is gone": func(dir string) error { return os.Remove(filepath.Join(dir, "verified")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, f.new)
			if _, _, err := deeply(t, dir, f.options, false, 4); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, "verified"))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "verified.old"), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, all, err := deeply(t, dir, f.options, true, -1)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			r, pages, err := deeply(t, dir, f.options, true, -1)
			if err != nil || !r.OK || r.From != 0 || pages <= all {
				t.Errorf("%d pages from %d, %+v, %v", pages, r.From, r, err)
			}
		})
	}
}

// afterStop verifies the good log deeply up to the first commit that is another in
// the given one, and then goes on with that.
func (f *forger) afterStop(t *testing.T, commits [][]byte) []transparency.Failure {
	t.Helper()
	same := 0
	for same < min(len(commits), len(f.commits)) && string(commits[same]) == string(f.commits[same]) {
		same++
	}
	dir := copyOf(t, f.new)
	run := func(pages [][]byte, resume bool) (found []transparency.Failure, looked int) {
		store := memory.New()
		for i, body := range pages {
			if err := store.Append(t.Context(), uint64(i), body); err != nil {
				t.Fatal(err)
			}
		}
		verifier, err := f.info.Verifier()
		if err != nil {
			t.Fatal(err)
		}
		d, err := OpenDeep(dir, f.options)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close(context.Background())
		if err := d.Keep(resume); err != nil {
			t.Fatal(err)
		}
		l := &Log{Info: f.info, Store: store, Verifier: verifier, link: &link{dir: dir, info: f.info}}
		report, err := l.Verify(t.Context(), VerifyOptions{Deep: d, Resume: resume, keepEvery: time.Nanosecond, Slow: func() { looked++ }})
		if err != nil {
			t.Fatal(err)
		}
		return report.Failures, looked
	}
	stop := int(f.at(same).page) - 1
	run(f.pages(t, f.commits...)[:stop], false) // which ends too early, and is good up to there
	pages := f.pages(t, commits...)
	found, looked := run(pages, true)
	if looked > len(pages)-stop {
		t.Errorf("it did not go on from page %d of %d: it looked at %d pages", stop, len(pages), looked)
	}
	return found
}

// TestDamagesAfterStop: what only a deep verification finds it finds as well, and in
// the same place, where it goes on from what an earlier one kept.
func TestDamagesAfterStop(t *testing.T) {
	f := bookkeeper(t)
	f.goesOn = true
	for _, d := range sealedDamages(f) {
		if d.by != byDeep {
			continue
		}
		t.Run(d.what, func(t *testing.T) {
			if found := d.find(t); !d.found(found) {
				t.Errorf("it must find %s at %+v; found %+v", d.code, d.at, found)
			}
		})
	}
}
