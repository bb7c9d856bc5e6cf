package projections

import "fmt"

// Fault is an error that views give, with a stable code that programs may branch
// on and, where there is one, the way out. errors.Is compares with the variables
// below; errors.As gives code and hint.
type Fault struct {
	// Code is lower case with hyphens.
	Code string
	// Message says what is wrong, in one sentence without a full stop.
	Message string
	// Hint says what to do next; may be empty.
	Hint string
}

func (f *Fault) Error() string { return f.Message }

const rebuildHint = "run daybook rebuild: views are made anew from the log"

// What views can meet.
var (
	// ErrRebuild means that the log does not extend what the view was made from.
	ErrRebuild = &Fault{"view-diverged", "the view was made from another log", rebuildHint}
	// ErrDamaged means that the view cannot be read: it is damaged, or its key
	// does not fit.
	ErrDamaged = &Fault{"view-damaged", "the view cannot be read", rebuildHint}
	// ErrNewer means that a newer version of the program made the view.
	ErrNewer = &Fault{"view-newer", "the view was made by a newer version of daybook", "use that version, or run daybook rebuild"}
	// ErrBehind means that the log ended before the place that was waited for.
	ErrBehind = &Fault{"view-behind", "the log ends before the place that the view should reach", ""}
	// ErrBusy means that another process rebuilds the view.
	ErrBusy = &Fault{"view-rebuilding", "another process is rebuilding the view", "wait until it is done"}
	// ErrUnreachable means that there is no way to the database of the views.
	ErrUnreachable = &Fault{"view-unreachable", "the database of the views cannot be reached", "commands go on without it; see that it runs and that DAYBOOK_VIEWS or daybook views names it"}
	// ErrFull means that the database of the views has no room left.
	ErrFull = &Fault{"view-full", "the database of the views has no room left", "make room there; the views go on from where they are"}
	// ErrUnwritable means that the folder of the views takes no writing, which reading
	// them needs too.
	ErrUnwritable = &Fault{"view-unwritable", "the folder of the views cannot be written", "commands go on without it; make it writable, or make room there"}
	// ErrDisagrees means that views made anew are not what the live ones are.
	ErrDisagrees = &Fault{"view-disagrees", "views made anew come out otherwise than they are now", "run daybook rebuild with their names to replace them"}
	// ErrOrder means that pages did not follow one another: a defect of their
	// source.
	ErrOrder = &Fault{"view-order", "pages of the log do not follow one another", ""}
)

func diverged(at Cursor, p Page) error {
	return fmt.Errorf("projections: page %d of epoch %d does not extend page %d of epoch %d: %w",
		p.Cursor.Page, p.Cursor.Epoch, at.Page, at.Epoch, ErrRebuild)
}

func pageOrder(at Cursor, p Page) error {
	return fmt.Errorf("projections: page %d (%d commits up to %d) after page %d (up to %d): %w",
		p.Cursor.Page, len(p.Commits), p.Cursor.Size, at.Page, at.Size, ErrOrder)
}
