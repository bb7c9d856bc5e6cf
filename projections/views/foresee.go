package views

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/projections"
)

// foreseeTogether is how many rows one statement reads ahead.
const foreseeTogether = 100

// foresee reads what the events of pages will need, many rows at a time: asked
// for one by one, each row of a server costs a journey there and back. What it
// does not foresee is read when it is needed.
func (b *batch) foresee(pages []projections.Page) error {
	documents, people := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, page := range pages {
		for i := range page.Commits {
			for _, e := range page.Commits[i].Events {
				customers, others := touches(e.Event)
				switch {
				case e.Stream.Kind == domain.KindCustomer:
					customers = append(customers, e.Stream.ID)
				case e.Stream.Kind != domain.KindBook && e.Stream.Kind != domain.KindSeries:
					others = append(others, e.Stream.ID)
				}
				first := e.Revision == 1 // what begins here is not there yet
				for _, id := range customers {
					if _, known := people[id]; !known {
						people[id] = !(first && id == e.Stream.ID)
					}
				}
				for _, id := range others {
					if _, known := documents[id]; !known {
						documents[id] = !(first && id == e.Stream.ID)
					}
				}
			}
		}
	}
	if err := b.foreseeDocuments(wanted(documents)); err != nil {
		return err
	}
	return b.foreseePeople(wanted(people))
}

// touches gives the customers and documents, besides its own stream, that an
// event's row needs.
func touches(event domain.Event) (customers, documents []uuid.UUID) {
	switch e := event.(type) {
	case *invoice.Drafted:
		return []uuid.UUID{e.Content.Customer}, nil
	case *invoice.Edited:
		return []uuid.UUID{e.Content.Customer}, nil
	case *invoice.Issued:
		return []uuid.UUID{e.Content.Customer}, nil
	case *credit.Issued:
		return []uuid.UUID{e.Content.Customer}, []uuid.UUID{e.Invoice}
	case *payment.Received:
		return []uuid.UUID{e.Customer}, nil
	case *funds.Allocated:
		return nil, []uuid.UUID{e.Target.ID}
	case *funds.Released:
		return nil, []uuid.UUID{e.Target.ID}
	}
	return nil, nil
}

// wanted gives the ids that are to be read, in order.
func wanted(ids map[uuid.UUID]bool) (all []any) {
	for _, id := range keys(ids, func(a, b uuid.UUID) int { return strings.Compare(string(a[:]), string(b[:])) }) {
		if ids[id] && id != uuid.Nil {
			all = append(all, id[:])
		}
	}
	return all
}

// ahead runs a query that ends with IN for so many ids at a time. A part that is
// short is filled up with its last: so each query has one form.
func (b *batch) ahead(query string, ids []any, row func(scanner) error) error {
	var places strings.Builder
	for i := range foreseeTogether {
		if i > 0 {
			places.WriteString(", ")
		}
		places.WriteString("$" + strconv.Itoa(i+1))
	}
	query += " (" + places.String() + ")"
	for len(ids) > 0 {
		n := min(len(ids), foreseeTogether)
		part := append(make([]any, 0, foreseeTogether), ids[:n]...)
		for len(part) < foreseeTogether {
			part = append(part, part[n-1])
		}
		ids = ids[n:]
		if err := load(b.ctx, b.w, query, part, row); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) foreseeDocuments(ids []any) error {
	return b.ahead(`SELECT `+documentColumns+` FROM documents WHERE id IN`, ids, func(r scanner) error {
		d := &document{}
		if err := d.scan(r); err != nil {
			return err
		}
		b.documents[d.stream] = d
		return nil
	})
}

func (b *batch) foreseePeople(ids []any) error {
	for _, id := range ids {
		b.settled[uuid.UUID(id.([]byte))] = true
	}
	err := b.ahead(`SELECT `+personColumns+` FROM customers WHERE id IN`, ids, func(r scanner) error {
		p := &person{}
		if err := p.scan(r); err != nil {
			return err
		}
		b.people[p.id] = p
		return nil
	})
	if err != nil {
		return err
	}
	return b.ahead(`SELECT customer, currency, receivable, credit, receivable_base, credit_base
		FROM customer_balances WHERE customer IN`, ids, func(r scanner) error {
		var key balanceKey
		row := &balance{}
		if err := r.Scan(append([]any{&key.customer, &key.currency}, row.columns()...)...); err != nil {
			return err
		}
		b.balances[key] = row
		return nil
	})
}
