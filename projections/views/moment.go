package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// Moment is one of the two times of a book: how much of it was recorded, and up to
// which day what was recorded counts. The zero Moment is all of both.
type Moment struct {
	// Size is how many commits were recorded; 0 for as many as there are.
	Size uint64
	// Effective is the last day that counts; empty for all days.
	Effective domain.Date
}

// NewestDate is the last day that anything is dated; empty in an empty book.
func (q *Queries) NewestDate(ctx context.Context) (newest domain.Date, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce(max(date), '') FROM entries`).Scan(&newest)
	})
	return newest, failed("newest date", err)
}

// before makes the sums of accounts those of the moment. What they are now, less
// what was posted since, is what they were then; where less was posted before,
// that is added up instead. So at most half of the postings are read.
func (m Moment) before(ctx context.Context, tx Tx, accounts map[dayKey]*sums) error {
	now, err := readStatus(ctx, tx)
	if err != nil {
		return err
	}
	if m.Size > now.Size {
		return fault("no-such-size", "the lists hold %d commits, and not %d", "daybook status tells how many commits the log has", now.Size, m.Size)
	}
	var w where
	backwards := m.Size > now.Size/2
	if backwards {
		w.add("position >= ?", int64(m.Size))
	} else {
		clear(accounts)
		w.add("position < ?", int64(m.Size))
	}
	w.text("date <= ?", string(m.Effective))
	err = load(ctx, tx, `SELECT account, currency, sum(CASE WHEN amount > 0 THEN amount ELSE 0 END), sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END),
		sum(CASE WHEN base > 0 THEN base ELSE 0 END), sum(CASE WHEN base < 0 THEN -base ELSE 0 END)
		FROM postings`+w.String()+` GROUP BY account, currency`, w.args, func(r scanner) error {
		var k dayKey
		var posted sums
		if err := r.Scan(append([]any{&k.account, &k.currency}, posted.columns()...)...); err != nil {
			return err
		}
		if !backwards {
			accounts[k] = &posted
			return nil
		}
		was := at(accounts, k)
		for _, side := range []struct {
			of   *worth
			less worth
		}{{&was.debit, posted.debit}, {&was.credit, posted.credit}} {
			if err := side.of.add(side.less.negated()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !backwards {
		return err
	}
	for k, was := range accounts {
		if *was != (sums{}) {
			continue
		}
		var w where
		w.add("account = ? AND currency = ? AND position < ?", k.account, k.currency, int64(m.Size))
		w.text("date <= ?", string(m.Effective))
		var one int64
		none, err := absent(tx.QueryRowContext(ctx, `SELECT line FROM postings`+w.String()+w.limit(1), w.args...).Scan(&one))
		if err != nil {
			return err
		}
		if none {
			delete(accounts, k) // nothing was posted to it yet, not even nothing
		}
	}
	return nil
}

// later reports whether a commit is dated after the last day that counts. Each
// document's and payment's events are dated in the order in which they depend on
// one another, so what is left without them hangs together.
func (b *batch) later(c *commit.Commit) (bool, error) {
	if b.effective == "" {
		return false, nil
	}
	dated := false
	for _, e := range c.Events {
		entries, err := account.Post(e.Event, e.Stream)
		if err != nil {
			return false, fmt.Errorf("commit %d: %w", c.Position, err)
		}
		for _, entry := range entries {
			if entry.Date <= b.effective {
				return false, nil
			}
			dated = true
		}
	}
	return dated, nil
}

// undated reports whether events of a kind count whatever the date of their commit.
func undated(kind domain.Kind) bool { return kind == domain.KindCustomer || kind == domain.KindBook }

// CommitAt gives the commit at a position of the log, which is on a page.
type CommitAt func(ctx context.Context, page, position uint64) (commit.Commit, error)

// CommitsOf gives the commits that made a document what it was when the log had so
// many commits, in their order: its own, and those that began what they name. Views
// that Pick folds them into tell the document as views of the whole log did then;
// what they tell of others is not whole.
func (q *Queries) CommitsOf(ctx context.Context, document domain.StreamID, size uint64, at CommitAt) ([]commit.Commit, error) {
	g := gathering{q: q, size: size, at: at, own: document, commits: map[uint64]commit.Commit{}, streams: map[domain.StreamID]bool{}}
	if err := g.stream(ctx, document); err != nil {
		return nil, fmt.Errorf("views: commits of %s: %w", document, err)
	}
	all := make([]commit.Commit, 0, len(g.commits))
	for _, c := range g.commits {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b commit.Commit) int { return cmp.Compare(a.Position, b.Position) })
	return all, nil
}

// gathering is a CommitsOf under way.
type gathering struct {
	q       *Queries
	size    uint64
	at      CommitAt
	own     domain.StreamID
	commits map[uint64]commit.Commit
	streams map[domain.StreamID]bool
}

// stream gathers the commits of a stream: of the document itself all, of others
// those that its rows need to be there.
func (g *gathering) stream(ctx context.Context, stream domain.StreamID) error {
	if g.streams[stream] {
		return nil
	}
	g.streams[stream] = true
	happened, err := g.q.Activity(ctx, stream)
	if err != nil {
		return err
	}
	for _, h := range happened {
		if h.Position >= g.size {
			break
		}
		if !shows(stream.Kind, h.Type) {
			continue
		}
		if err := g.commit(ctx, h); err != nil {
			return err
		}
		if stream != g.own && begins[h.Type] {
			break
		}
	}
	return nil
}

// begins are the events with which a document's row is as others need it.
var begins = map[string]bool{"invoice.issued": true, "credit.issued": true, "payment.received": true}

// shows reports whether an event of a stream shows in documents.
func shows(kind domain.Kind, eventType string) bool {
	switch kind {
	case domain.KindCustomer:
		return eventType == "customer.registered" || eventType == "customer.changed" || eventType == "customer.key-destroyed"
	case domain.KindBook:
		return eventType == "book.opened"
	}
	return true
}

// commit gathers a commit, and what its events name.
func (g *gathering) commit(ctx context.Context, h Happening) error {
	if _, known := g.commits[h.Position]; known {
		return nil
	}
	c, err := g.at(ctx, h.Page, h.Position)
	if err != nil {
		return err
	}
	g.commits[h.Position] = c
	named := []domain.StreamID{{Kind: domain.KindBook, ID: c.Book}}
	for _, e := range c.Events {
		customers, documents := touches(e.Event)
		for _, id := range customers {
			named = append(named, domain.StreamID{Kind: domain.KindCustomer, ID: id})
		}
		if isDocument(e.Stream.Kind) {
			named = append(named, e.Stream)
		}
		for _, id := range documents {
			for _, kind := range documentKinds {
				named = append(named, domain.StreamID{Kind: kind, ID: id})
			}
		}
	}
	for _, stream := range named {
		if err := g.stream(ctx, stream); err != nil {
			return err
		}
	}
	return nil
}

var documentKinds = []domain.Kind{domain.KindInvoice, domain.KindCredit, domain.KindPayment}

func isDocument(kind domain.Kind) bool { return slices.Contains(documentKinds, kind) }

// Pick folds some commits of a log, given in their order, into empty views.
func (v *Views) Pick(ctx context.Context, commits []commit.Commit) error {
	err := v.engine.Write(ctx, func(w Writer) error {
		b := newBatch(ctx, w)
		b.effective = v.effective
		for i := range commits {
			if err := b.fold(&commits[i], commits[i].Page); err != nil {
				return err
			}
		}
		return b.write()
	})
	if err != nil {
		return fmt.Errorf("views: pick: %w", err)
	}
	return nil
}
