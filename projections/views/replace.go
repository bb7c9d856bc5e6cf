package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/daybook-ledger/daybook/projections"
)

// Attested is a view that tells its hashes.
type Attested interface {
	projections.Store
	Attest(ctx context.Context) (Attestation, error)
}

// Rebuild says how views are made anew.
type Rebuild struct {
	// Log is what they are made from.
	Log projections.Source
	// Named are views that may come out otherwise than they are now.
	Named []string
	// Fresh says not to go on with what a rebuild left that did not end: what it
	// holds may have been erased since.
	Fresh bool
	// Progress may be nil.
	Progress func(projections.Progress)
}

// Replacement is views that are made anew beside those that they will replace.
type Replacement struct {
	Rebuild
	// Next are the new views, empty or begun by a rebuild that did not end.
	Next Attested
	// Live are the views that are to be replaced; nil where there are none that
	// can be read.
	Live Attested
	// Index gives the new views what was left out while they were filled.
	Index func(ctx context.Context) error
}

// Disagreement is the error for views that come out otherwise than they are now.
// It is projections.ErrDisagrees.
type Disagreement struct {
	// Position is where they were compared: how many commits they hold.
	Position uint64
	// Views are those that differ.
	Views []string
}

func (d *Disagreement) Error() string {
	return fmt.Sprintf("at %d commits, made anew, %s come out otherwise than they are now", d.Position, strings.Join(d.Views, ", "))
}

// Is reports that it is projections.ErrDisagrees.
func (d *Disagreement) Is(target error) bool { return target == projections.ErrDisagrees }

// Unwrap gives the fault.
func (d *Disagreement) Unwrap() error {
	return &projections.Fault{
		Code: projections.ErrDisagrees.Code, Message: d.Error(),
		Hint: "they were altered, or made by another version: run daybook rebuild " + strings.Join(d.Views, " ") + " to replace them",
	}
}

// Fill folds the log into the new views and compares them with the live ones, at
// the same place of the log. *Disagreement where views that were not named
// differ. When Fill returns without an error the new views may go live once they
// are as far as the others.
func (r Replacement) Fill(ctx context.Context) error {
	if err := CheckNames(r.Named); err != nil {
		return err
	}
	next := projections.Runner{View: r.Next, Read: r.Log, Progress: r.Progress}
	if err := next.CatchUp(ctx, 0); err != nil {
		return err
	}
	if err := r.Index(ctx); err != nil {
		return err
	}
	if err := r.agree(ctx, &next); err != nil {
		return err
	}
	return next.CatchUp(ctx, 0)
}

// agree compares the views where the live ones are, or, if those are behind,
// where the new ones are. Live views that cannot be brought there or read are no
// measure.
func (r Replacement) agree(ctx context.Context, next *projections.Runner) error {
	if r.Live == nil {
		return nil
	}
	at, err := r.Next.Cursor(ctx)
	if err != nil {
		return err
	}
	if before, err := r.Live.Cursor(ctx); err != nil || before.Size == 0 {
		return ctx.Err()
	}
	live := projections.Runner{View: r.Live, Read: r.Log}
	if err := live.CatchUp(ctx, at.Size); err != nil {
		return ctx.Err()
	}
	for range 5 {
		was, err := r.Live.Attest(ctx)
		if err != nil {
			return ctx.Err()
		}
		err = next.CatchUp(ctx, was.Cursor.Size)
		if errors.Is(err, projections.ErrBehind) {
			return nil // they are of another log, which was longer
		}
		if err != nil {
			return err
		}
		is, err := r.Next.Attest(ctx)
		if err != nil {
			return err
		}
		if is.Cursor.Size == was.Cursor.Size {
			return r.compare(was, is)
		}
	}
	return fmt.Errorf("views: rebuild: another process moves the new views: %w", projections.ErrBusy)
}

func (r Replacement) compare(was, is Attestation) error {
	var differ []string
	for _, name := range Names() {
		if was.Views[name] != is.Views[name] && !slices.Contains(r.Named, name) {
			differ = append(differ, name)
		}
	}
	if was.Cursor.Root != is.Cursor.Root {
		return nil // the live views are of another log
	}
	if len(differ) > 0 {
		return &Disagreement{is.Cursor.Size, differ}
	}
	return nil
}

// CheckNames gives the fault unknown-view for names that are not of Names.
func CheckNames(names []string) error {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return fault("unknown-view", "there is no view %.40q", "the views are "+strings.Join(Names(), ", "), name)
		}
	}
	return nil
}
