package bookdir

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// Codes of findings besides those of package transparency.
const (
	// CodeHeadMissing: there is no remembered head to hold the log against.
	CodeHeadMissing = "head-missing"
	// CodeHeadDamaged: the remembered head cannot be read.
	CodeHeadDamaged = "head-damaged"
	// CodeCommitForm: a commit is not in the form of one.
	CodeCommitForm = "commit-form"
	// CodeCommitPlace: a commit names another book, log epoch or position than
	// those where it stands.
	CodeCommitPlace = "commit-place"
	// CodeCommitTime: a commit's recorded time is before that of the one before.
	CodeCommitTime = "commit-time"
	// CodeCommitNewer: a newer version of the program wrote the commit.
	CodeCommitNewer = "newer-version"
	// CodeForeign: the stream holds what does not belong to the book.
	CodeForeign = "foreign-message"
	// CodeShort: the log ends before the remembered head.
	CodeShort = "log-short"
)

// told are the codes that users of a book know for those of package transparency.
var told = map[string]string{transparency.CodeForeign: CodeForeign, transparency.CodeLost: CodeShort}

// Report is what a verification found.
type Report struct {
	transparency.Report
	// Events is how many events the commits hold that could be read.
	Events uint64
}

// Verify checks the whole log, by the public key alone: every page's form,
// signature and place, every root, that the log extends the remembered head, and
// that every commit's header says where it stands. Memory does not grow with the
// log. What is wrong stands in the report; an error means that the log could not
// be read to its end.
func (l *Log) Verify(ctx context.Context, progress func(pages, of uint64)) (Report, error) {
	var r Report
	remembered, missing, err := l.remembered()
	if err != nil {
		return r, err
	}
	headers := headerCheck{info: l.Info, events: &r.Events}
	r.Report, err = transparency.Verify(ctx, l.Store, l.Verifier, transparency.Options{
		Remembered: remembered, Commit: headers.check, Progress: progress,
	})
	for i, failure := range r.Failures {
		if code, other := told[failure.Code]; other {
			r.Failures[i].Code = code
		}
	}
	if missing != nil {
		r.Failures = append([]transparency.Failure{*missing}, r.Failures...)
		r.OK = false
	}
	return r, err
}

// remembered gives the remembered head, or what is wrong with it.
func (l *Log) remembered() (*page.Head, *transparency.Failure, error) {
	h, err := head.Read(filepath.Join(l.link.dir, "head"))
	switch {
	case errors.Is(err, head.ErrMissing):
		return nil, &transparency.Failure{Code: CodeHeadMissing, What: "the remembered head is missing: a loss at the end of the log would not be seen"}, nil
	case errors.Is(err, head.ErrDamaged):
		return nil, &transparency.Failure{Code: CodeHeadDamaged, What: "the remembered head is damaged: a loss at the end of the log would not be seen"}, nil
	case err != nil:
		return nil, nil, err
	case h.Epoch != l.Info.Epoch:
		return nil, &transparency.Failure{Code: transparency.CodeContradiction, What: fmt.Sprintf("the remembered head is of log epoch %d, the book of %d", h.Epoch, l.Info.Epoch)}, nil
	}
	return &h.Head, nil, nil
}

// headerCheck checks the headers of commits, which are in clear.
type headerCheck struct {
	info     Info
	events   *uint64
	recorded int64
}

func (h *headerCheck) check(position, _ uint64, stored []byte) error {
	sealed, err := seal.Parse(stored)
	switch {
	case errors.Is(err, seal.ErrNewer):
		return &transparency.Failure{Code: CodeCommitNewer, What: err.Error()}
	case err != nil:
		return &transparency.Failure{Code: CodeCommitForm, What: err.Error()}
	}
	*h.events += uint64(len(sealed.Header.Events))
	header := sealed.Header
	if header.Book != h.info.Book || header.Epoch != h.info.Epoch || header.Position != position {
		return &transparency.Failure{Code: CodeCommitPlace, What: fmt.Sprintf("the commit says it is position %d of book %s, log epoch %d",
			header.Position, header.Book, header.Epoch)}
	}
	if header.Recorded < h.recorded {
		return &transparency.Failure{Code: CodeCommitTime, What: "the commit was recorded before the one that stands before it"}
	}
	h.recorded = header.Recorded
	return nil
}
