package bookdir

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/state"
	"github.com/daybook-ledger/daybook/testing/effort"
	"github.com/daybook-ledger/daybook/testing/given"
)

// deeply verifies a book deeply, keeping what it comes to after every page, and stops
// after so many pages, -1 for none. It gives how many pages it looked at.
func deeply(t *testing.T, dir string, o Options, resume bool, stop int) (r Report, pages int, err error) {
	t.Helper()
	return deeplyKept(t, dir, o, resume, stop, time.Nanosecond, nil)
}

// deeplyKept keeps only as often, and calls a function at the stop in place of
// stopping, unless that is nil.
func deeplyKept(t *testing.T, dir string, o Options, resume bool, stop int, every time.Duration, at func()) (r Report, pages int, err error) {
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
	r, err = l.Verify(ctx, VerifyOptions{Deep: d, Resume: resume, keepEvery: every, Slow: func() {
		if pages == stop && at != nil {
			at()
		} else if pages == stop {
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
	t.Parallel()
	f := bookkeeper(t, create)
	whole, all, err := deeply(t, copyOf(t, f.new), f.options, false, -1)
	if err != nil || !whole.OK || whole.Attested.Checked != 1 {
		t.Fatalf("%+v, %v", whole, err)
	}
	for stop := range all {
		dir := copyOf(t, f.new)
		every := time.Duration(stop%2) * time.Hour // else what is kept is kept at the stop
		if _, _, err := deeplyKept(t, dir, f.options, false, stop, every+1, nil); err != nil && !errors.Is(err, context.Canceled) {
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
	t.Parallel()
	f := bookkeeper(t, create)
	for name, change := range map[string]func(dir string) error{
		"gone": func(dir string) error { return os.Remove(filepath.Join(dir, "verified.states")) },
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
		"what is in clear tells more events": func(dir string) error {
			return rewritten(filepath.Join(dir, "verified"), func(v *verified) { v.Events++ })
		},
		"what is in clear has other streams": func(dir string) error {
			// as whoever writes to the folder can make it: with the right digest
			if err := os.WriteFile(filepath.Join(dir, "verified.streams"), nil, 0o600); err != nil {
				return err
			}
			none := sha256.Sum256(nil)
			return rewritten(filepath.Join(dir, "verified"), func(v *verified) { v.Streams = none[:] })
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

// rewritten changes what stands in clear.
func rewritten(path string, change func(v *verified)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var v verified
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	change(&v)
	if data, err = json.Marshal(v); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// stateRows runs SQL in a state file, as whoever has no key can, and gives all rows
// that it then has.
func stateRows(t *testing.T, path, sql string) (rows []string) {
	t.Helper()
	c, err := sqlite3.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(sql); err != nil {
		t.Fatal(err)
	}
	all, _, err := c.Prepare(`SELECT hex(name) || hex(value) FROM rows ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for all.Step() {
		rows = append(rows, all.ColumnText(0))
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestDeepTrustsNoRow: whichever row of what was kept is altered, taken away or set
// back, a deep verification begins at the beginning, and finds a good log good.
func TestDeepTrustsNoRow(t *testing.T) {
	t.Parallel()
	f := bookkeeper(t, create)
	dir := copyOf(t, f.new)
	_, all, err := deeply(t, copyOf(t, dir), f.options, false, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := deeply(t, dir, f.options, false, all-4); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	older := copyOf(t, dir)
	if _, _, err := deeply(t, dir, f.options, true, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "verified.states")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear, err := os.ReadFile(filepath.Join(dir, "verified"))
	if err != nil {
		t.Fatal(err)
	}
	streams, err := os.ReadFile(filepath.Join(dir, "verified.streams"))
	if err != nil {
		t.Fatal(err)
	}
	rows := stateRows(t, path, ``)
	if len(rows) < 20 {
		t.Fatalf("%d rows were kept: too few to show anything", len(rows))
	}
	tampered := 0
	for i, row := range rows {
		for way, c := range []struct{ what, sql string }{
			{"altered", `UPDATE rows SET value = substr(value, 1, length(value) - 1) || x'00' WHERE hex(name) = '%s'`},
			{"taken away", `DELETE FROM rows WHERE hex(name) = '%s'`},
			{"set back", `ATTACH '` + filepath.Join(older, "verified.states") + `' AS older;
				INSERT OR REPLACE INTO main.rows SELECT * FROM older.rows WHERE hex(name) = '%s'`},
		} {
			if testing.Short() && i%8 > 0 || effort.UnderRace && i%3 != way {
				continue // under the race detector each row in one way
			}
			for at, data := range map[string][]byte{path: good, filepath.Join(dir, "verified"): clear, filepath.Join(dir, "verified.streams"): streams} {
				if err := errors.Join(state.Remove(at), os.WriteFile(at, data, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if slices.Equal(rows, stateRows(t, path, fmt.Sprintf(c.sql, row[:2*(state.PlaceSize+16)]))) {
				continue // the older copy has the row as it is, or not at all
			}
			tampered++
			r, _, err := deeply(t, dir, f.options, true, -1)
			if err != nil || !r.OK || r.From != 0 {
				t.Errorf("row %d %s: from %d, %+v, %v", i, c.what, r.From, r.Failures, err)
			}
		}
	}
	if tampered < 2*len(rows)/8 {
		t.Errorf("%d rows were changed, of %d", tampered, len(rows))
	}
}

// TestDeepStatesFail: where what is kept is damaged while a check runs, the check
// fails, and says nothing against the log.
func TestDeepStatesFail(t *testing.T) {
	t.Parallel()
	f := bookkeeper(t, create)
	dir := copyOf(t, f.new)
	path := filepath.Join(dir, "verified.states")
	if _, _, err := deeply(t, dir, f.options, false, 5); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r, _, err := deeplyKept(t, dir, f.options, true, 0, 1, func() { stateRows(t, path, `UPDATE rows SET value = x'00'`) })
	if !errors.Is(err, state.ErrDamaged) || len(r.Failures) > 0 {
		t.Fatalf("%+v, %v; want ErrDamaged of package state", r.Failures, err)
	}
	if r, _, err := deeply(t, dir, f.options, true, -1); err != nil || !r.OK || r.From != 0 {
		t.Errorf("run again: from %d, %+v, %v", r.From, r.Failures, err)
	}
}

// TestWhatIsFoundIsFoundAgain: a verification that found something withdraws what one
// of before remembered, so that the next does not go on from behind it.
func TestWhatIsFoundIsFoundAgain(t *testing.T) {
	t.Parallel()
	f := bookkeeper(t, create)
	damaged := f.pages(t, f.commits...)
	at := damaged[f.at(received).page-1]
	at[len(at)-1] ^= 1
	for _, c := range []struct{ kept, finds, goesOn bool }{ // whether each is deep
		{false, false, false}, {true, false, true}, {true, true, true}, {true, true, false},
	} {
		dir := copyOf(t, f.new)
		run := func(pages [][]byte, deep, resume bool) Report {
			verifier, err := f.info.Verifier()
			if err != nil {
				t.Fatal(err)
			}
			store := memory.New()
			l := &Log{Info: f.info, Store: store, Verifier: verifier, link: &link{dir: dir, info: f.info}}
			for i, body := range pages {
				if err := store.Append(t.Context(), uint64(i), body); err != nil {
					t.Fatal(err)
				}
			}
			o := VerifyOptions{Resume: resume}
			if deep {
				if o.Deep, err = OpenDeep(dir, f.options); err != nil {
					t.Fatal(err)
				}
				defer o.Deep.Close(context.Background())
				if err := o.Deep.Keep(resume); err != nil {
					t.Fatal(err)
				}
			}
			report, err := l.Verify(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		if r := run(f.pages(t, f.commits...), c.kept, false); !r.OK {
			t.Fatalf("%+v", r.Failures)
		}
		if r := run(damaged, c.finds, false); r.OK {
			t.Fatal("the damage was not found")
		}
		if r := run(damaged, c.goesOn, true); r.OK || r.From != 0 {
			t.Errorf("%+v: it went on from %d, and found %+v", c, r.From, r.Failures)
		}
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
	run := func(pages [][]byte, resume bool, stop int) (found []transparency.Failure, looked int) {
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
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		report, err := l.Verify(ctx, VerifyOptions{Deep: d, Resume: resume, keepEvery: time.Nanosecond, Slow: func() {
			if looked++; looked == stop {
				cancel()
			}
		}})
		if err != nil && (stop == 0 || !errors.Is(err, context.Canceled)) {
			t.Fatal(err)
		}
		return report.Failures, looked
	}
	stop := int(f.at(same).page) - 1
	run(f.pages(t, f.commits...), false, stop)
	pages := f.pages(t, commits...)
	found, looked := run(pages, true, 0)
	if looked > len(pages)-stop {
		t.Errorf("it did not go on from page %d of %d: it looked at %d pages", stop, len(pages), looked)
	}
	return found
}

// TestDamagesAfterStop: what only a deep verification finds it finds as well, and in
// the same place, where it goes on from what an earlier one kept.
func TestDamagesAfterStop(t *testing.T) {
	t.Parallel()
	f := bookkeeper(t, create)
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
