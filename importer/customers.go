package importer

import (
	"container/list"
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

// minCustomers is the least number of customers that are remembered; at least
// four times what is under way.
const minCustomers = 4096

// waiter gives the outcome of a command; it may be called again.
type waiter func() (Outcome, error)

// buyer is a customer of this run.
type buyer struct {
	reference string
	id        uuid.UUID
	// registering is nil once the customer is known to be in the book.
	registering waiter
	// refused is why the customer could not be registered.
	refused *domain.Refusal
}

// customers remembers the customers that were used last.
type customers struct {
	limit int
	byRef map[string]*list.Element
	used  *list.List // of *buyer, the one used last in front
}

func newCustomers(limit int) *customers {
	return &customers{limit: limit, byRef: map[string]*list.Element{}, used: list.New()}
}

func (c *customers) get(reference string) (*buyer, bool) {
	e, ok := c.byRef[reference]
	if !ok {
		return nil, false
	}
	c.used.MoveToFront(e)
	return e.Value.(*buyer), true
}

func (c *customers) put(b *buyer) {
	c.byRef[b.reference] = c.used.PushFront(b)
	if c.used.Len() > c.limit {
		oldest := c.used.Back()
		c.used.Remove(oldest)
		delete(c.byRef, oldest.Value.(*buyer).reference)
	}
}

// buyer finds a document's customer in the book, or begins to register it.
func (r *run) buyer(ctx context.Context, c Customer) (*buyer, error) {
	if b, ok := r.customers.get(c.Reference); ok {
		return b, nil
	}
	b := &buyer{reference: c.Reference}
	id, found, err := r.find(ctx, c.Reference)
	if err != nil {
		return nil, err
	}
	if b.id = id; !found {
		b.id = r.book.DeriveID("import/customer/" + c.Reference)
		command := r.book.DeriveID("import/command/customer/" + c.Reference)
		b.registering = r.submit(ctx, command, c.registration(b.id), nil)
	}
	r.customers.put(b)
	return b, nil
}

func (r *run) find(ctx context.Context, reference string) (uuid.UUID, bool, error) {
	stream, found, err := r.book.Find(ctx, domain.Reference{Kind: domain.CustomerReference, Value: reference})
	return stream.ID, found, err
}

// settleBuyer waits for a registration that is under way. Where it was refused
// because somebody else registered the customer meanwhile, the buyer becomes
// that one.
func (r *run) settleBuyer(ctx context.Context, b *buyer) error {
	if b.registering == nil {
		return nil
	}
	_, err := b.registering()
	var refusal *domain.Refusal
	switch {
	case err == nil:
	case errors.As(err, &refusal) && !endsRun(refusal):
		id, found, err := r.find(ctx, b.reference)
		if err != nil {
			return err
		}
		if b.id = id; !found {
			b.refused = refusal
		}
	default:
		return err
	}
	b.registering = nil
	return nil
}
