package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/views"
)

// recalling adds the flags of commands that tell what was at another moment.
func recalling(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("as-of", "", "as it was recorded at this `MOMENT`: a position in the log, a time or a date")
	cmd.Flags().String("effective", "", "only what is dated up to this `DATE`")
	return cmd
}

// momentFlags reads the flags of recalling, where the command has them.
func (s *session) momentFlags(ctx context.Context, cmd *cobra.Command) error {
	if cmd.Flags().Lookup("effective") == nil {
		return nil
	}
	asOf, err := cmd.Flags().GetString("as-of")
	if err == nil && asOf != "" {
		s.at.Size, s.day, err = s.moment(ctx, asOf)
		if err == nil && s.at.Size == 0 {
			err = fail("no-such-size", "daybook diff tells when what was recorded", "nothing was recorded yet at %s", asOf)
		}
	}
	if err != nil {
		return err
	}
	effective, err := cmd.Flags().GetString("effective")
	if err == nil && effective != "" {
		s.at.Effective, err = domain.ParseDate(effective)
		s.day = s.at.Effective
	}
	return err
}

// moment gives how many commits the log had at a moment that a person names, and
// on which day that was.
func (s *session) moment(ctx context.Context, text string) (uint64, domain.Date, error) {
	h, err := s.book.Head()
	if err != nil {
		return 0, "", err
	}
	if position, err := strconv.ParseUint(text, 10, 64); err == nil {
		if position >= h.Size {
			return 0, "", fail("no-such-size", "daybook status tells how many commits the log has", "the log has no position %d: it ends with %d", position, h.Size-1)
		}
		for c, err := range s.book.Between(ctx, position, position+1) {
			return position + 1, domain.DateOf(c.Recorded.Local()), err
		}
	}
	at, err := time.Parse(time.RFC3339, text)
	if day := domain.Date(text); err != nil && day.Valid() {
		at, err = time.ParseInLocation(time.DateOnly, string(day.AddDays(1)), time.Local)
		at = at.Add(-time.Microsecond)
	}
	if err != nil {
		return 0, "", fail("invalid-moment", "give a position, a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z",
			"%.40q is neither a position nor a time", text)
	}
	size, err := s.book.SizeAt(ctx, at)
	return size, domain.DateOf(at.Local()), err
}

// views gives the views of what was recorded up to the moment that is asked for:
// now, unless the command says another.
func (s *session) views(ctx context.Context) (*views.Queries, error) {
	if s.at.Size == 0 {
		return s.now(ctx)
	}
	return s.recall(ctx, views.Moment{Size: s.at.Size})
}

// dated gives the views of what is, besides, dated up to the day that is asked for.
func (s *session) dated(ctx context.Context) (*views.Queries, error) {
	if s.at.Effective == "" {
		return s.views(ctx)
	}
	if s.at.Size == 0 {
		v, err := s.now(ctx)
		if err != nil {
			return nil, err
		}
		newest, err := v.NewestDate(ctx)
		if err != nil || newest <= s.at.Effective {
			return v, err
		}
	}
	return s.recall(ctx, s.at)
}

// recall makes the views of a moment from the log.
func (s *session) recall(ctx context.Context, m views.Moment) (*views.Queries, error) {
	if s.recalled == nil {
		meter := s.app.meter("Reading how it was")
		defer meter.end()
		recalled, err := s.book.Recall(ctx, m, meter.at)
		if err != nil {
			return nil, err
		}
		s.recalled = recalled
	}
	return s.recalled.Queries, nil
}

// shown gives a document as it was at the moment that is asked for.
func (s *session) shown(ctx context.Context, stream domain.StreamID) (*views.Document, error) {
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	if s.at == (views.Moment{}) {
		return now.Document(ctx, stream, s.app.today())
	}
	m := s.at
	if m.Size == 0 {
		status, err := now.Status(ctx)
		if err != nil {
			return nil, err
		}
		m.Size = status.Size
	}
	recalled, err := s.book.RecallDocument(ctx, now, m, stream)
	if errors.Is(err, projections.ErrDamaged) { // what made it could not be told apart
		recalled, err = s.book.Recall(ctx, m, nil)
	}
	if err != nil {
		return nil, err
	}
	return documentOnce(ctx, recalled, stream, s.day)
}

func documentOnce(ctx context.Context, from *bookdir.Recalled, stream domain.StreamID, day domain.Date) (*views.Document, error) {
	doc, err := from.Document(ctx, stream, day)
	return doc, errors.Join(err, from.Close())
}

// until is the earlier of a day that ends a report and the last one that counts.
func (s *session) until(to domain.Date) domain.Date {
	if effective := s.at.Effective; effective != "" && (to == "" || effective < to) {
		return effective
	}
	return to
}
