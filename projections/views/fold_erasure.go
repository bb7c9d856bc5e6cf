package views

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
)

// foldErasure leaves the rows of a customer as a rebuild makes them once the
// keys are destroyed. What their file held before is for a new file to leave out.
func (b *batch) foldErasure(p place, e *customer.KeyDestroyed) error {
	id := p.event.Stream.ID
	who, err := b.person(id)
	if err != nil {
		return err
	}
	who.profile, who.changed = nil, true
	if err := b.loadDocuments(id); err != nil {
		return err
	}
	for _, d := range b.documents {
		if d.customer != id {
			continue
		}
		issued := d.stage == invoice.StatusIssued
		if e.Scope == customer.Contact && issued {
			continue // its own buyer stands on it
		}
		d.name, d.changed = "", true
		if e.Scope == customer.Contact && d.stream.Kind == domain.KindPayment {
			continue // its text stands on it
		}
		if err := b.forget(d); err != nil {
			return err
		}
	}
	return nil
}

// forget leaves the facts alone of what a document says.
func (b *batch) forget(d *document) error {
	if row := b.contents[d.seq]; row != nil {
		row[len(row)-1] = nil
	}
	return b.exec(`UPDATE contents SET personal = NULL WHERE document = $1`, d.seq)
}

// loadDocuments reads all documents of a customer.
func (b *batch) loadDocuments(id uuid.UUID) error {
	return load(b.ctx, b.w, `SELECT `+documentColumns+` FROM documents WHERE customer = $1`, []any{id[:]}, func(r scanner) error {
		d := &document{}
		if err := d.scan(r); err != nil {
			return err
		}
		if b.documents[d.stream] == nil {
			b.documents[d.stream] = d
		}
		return nil
	})
}
