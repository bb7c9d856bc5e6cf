package bookdir

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
)

// CodeAttestation: hashes of views that stand in the log are others than those of
// the views that the log gives.
const CodeAttestation = "attestation-differs"

// Attestation gives hashes of views as they are entered in the log.
func Attestation(a views.Attestation) book.Attestation {
	entered := book.Attestation{Size: a.Cursor.Size, Root: slices.Clone(a.Cursor.Root[:]), Schema: a.Schema}
	for _, name := range views.Names() {
		hash := a.Views[name]
		entered.Views = append(entered.Views, book.ViewHash{View: name, Hash: hash[:]})
	}
	return entered
}

// attestation is hashes of views that stand in the log, and where.
type attestation struct {
	book.Attestation
	page, position uint64
}

// AttestedReport is what a deep verification did with the hashes of views that
// stand in the log.
type AttestedReport struct {
	// Checked are those that were held against the views that the log gives; Older
	// those of another version of the views, which this program cannot make; and
	// Unchecked those up to which views could not be made, for something else is
	// wrong with the log.
	Checked, Older, Unchecked int
}

// heldAgainst makes the views from the log as far as the newest hashes in it go,
// and compares them wherever there are any.
func (d *Deep) heldAgainst(ctx context.Context, log projections.Source, progress func(done, last uint64)) (r AttestedReport, found []transparency.Failure, err error) {
	var due []attestation
	for _, a := range d.attested[d.compared:] {
		if a.Schema == views.Version {
			due = append(due, a)
		} else {
			r.Older++
		}
	}
	if len(due) == 0 {
		d.compared = len(d.attested)
		return r, nil, nil
	}
	slices.SortStableFunc(due, func(a, b attestation) int { return cmp.Compare(a.Size, b.Size) })
	made, err := sqlite.NewScratch(ctx, d.scratch.Dir, "")
	if err != nil {
		return r, nil, err
	}
	defer func() { err = errors.Join(err, made.Close()) }()
	runner := projections.Runner{View: made, Read: log}
	if progress != nil {
		last := due[len(due)-1].Size
		runner.Progress = func(p projections.Progress) { progress(min(p.At.Size, last), last) }
	}
	r.Unchecked = len(due)
	for _, a := range due {
		what := "they are of a state of the log that was still to come"
		if a.Size <= a.position {
			if what, err = compare(ctx, &runner, made, a); err != nil {
				return r, found, err
			}
		}
		r.Checked++
		r.Unchecked--
		if what != "" {
			found = append(found, transparency.Failure{
				Page: a.page, Position: a.position, Code: CodeAttestation,
				What: fmt.Sprintf("hashes of the lists at %d commits: %s", a.Size, what),
			})
		}
	}
	d.compared = len(d.attested)
	return r, found, nil
}

// compare brings views to a state of the log, and tells how the hashes that were
// entered of it are others; "" where they are the same.
func compare(ctx context.Context, runner *projections.Runner, made *sqlite.Scratch, a attestation) (string, error) {
	if err := runner.CatchUp(ctx, a.Size); err != nil {
		return "", err
	}
	at, err := made.Cursor(ctx)
	if err != nil {
		return "", err
	}
	if at.Size != a.Size || !bytes.Equal(at.Root[:], a.Root) {
		return "the log never was in the state that they name", nil
	}
	is, err := made.Attest(ctx)
	if err != nil {
		return "", err
	}
	var others []string
	want := Attestation(is)
	for _, name := range views.Names() {
		named := func(v book.ViewHash) bool { return v.View == name }
		i, j := slices.IndexFunc(a.Views, named), slices.IndexFunc(want.Views, named)
		if i < 0 || !bytes.Equal(a.Views[i].Hash, want.Views[j].Hash) {
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		return "made from the log, these come out otherwise: " + strings.Join(others, ", "), nil
	}
	return "", nil
}

// source is a projections.Source: the log as far as it was verified.
func (d *Deep) source(l *Log, last uint64) projections.Source {
	r := reader{store: l.Store, verifier: l.Verifier, codec: d.link.codec, epoch: l.Info.Epoch}
	return func(ctx context.Context, after projections.Cursor) iter.Seq2[projections.Page, error] {
		return func(yield func(projections.Page, error) bool) {
			if err := r.feed(ctx, after, last, yield); err != nil {
				yield(projections.Page{}, err)
			}
		}
	}
}
