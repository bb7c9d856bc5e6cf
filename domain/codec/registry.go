package codec

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/series"
)

// The tables of all types. A type that changes its form gets an upcaster from
// the form before, appended to those that it has.
var (
	events = register(domain.Event.EventType,
		of[domain.Event, book.Opened](),
		of[domain.Event, book.SellerChanged](),
		of[domain.Event, book.EpochOpened](),
		of[domain.Event, book.Drilled](),
		of[domain.Event, book.Attested](),
		of[domain.Event, book.Granted](),
		of[domain.Event, book.Revoked](),
		of[domain.Event, book.RetentionSet](),
		of[domain.Event, customer.Registered](),
		of[domain.Event, customer.Changed](),
		of[domain.Event, customer.Credited](),
		of[domain.Event, customer.KeyDestroyed](),
		of[domain.Event, invoice.Drafted](),
		of[domain.Event, invoice.Edited](),
		of[domain.Event, invoice.Approved](),
		of[domain.Event, invoice.Discarded](),
		of[domain.Event, invoice.Issued](),
		of[domain.Event, invoice.Credited](),
		of[domain.Event, credit.Issued](),
		of[domain.Event, customer.CreditMoved](),
		of[domain.Event, invoice.Allocated](),
		of[domain.Event, invoice.Unallocated](),
		of[domain.Event, invoice.WrittenOff](),
		of[domain.Event, invoice.Relieved](),
		of[domain.Event, invoice.Recovered](),
		of[domain.Event, invoice.Deducted](),
		of[domain.Event, invoice.DeductionReturned](),
		of[domain.Event, funds.Allocated](),
		of[domain.Event, funds.Released](),
		of[domain.Event, funds.Refunded](),
		of[domain.Event, funds.Drawn](),
		of[domain.Event, payment.Received](),
		of[domain.Event, payment.Reversed](),
		of[domain.Event, payment.ClaimPaid](),
		of[domain.Event, payment.ClaimReopened](),
		of[domain.Event, period.Closed](),
		of[domain.Event, period.Settled](),
		of[domain.Event, period.Reopened](),
		of[domain.Event, series.Configured](),
		of[domain.Event, series.Drawn](),
	)
	commands = register(domain.Command.CommandType,
		of[domain.Command, book.Open](),
		of[domain.Command, book.ChangeSeller](),
		of[domain.Command, book.OpenEpoch](),
		of[domain.Command, book.RecordDrill](),
		of[domain.Command, book.Attest](),
		of[domain.Command, book.Grant](),
		of[domain.Command, book.Revoke](),
		of[domain.Command, book.SetRetention](),
		of[domain.Command, customer.Register](),
		of[domain.Command, customer.Change](),
		of[domain.Command, erasure.Erase](),
		of[domain.Command, invoice.Draft](),
		of[domain.Command, invoice.Edit](),
		of[domain.Command, invoice.Approve](),
		of[domain.Command, invoice.Issue](),
		of[domain.Command, invoice.Discard](),
		of[domain.Command, invoice.Enter](),
		of[domain.Command, invoice.WriteOff](),
		of[domain.Command, invoice.Relieve](),
		of[domain.Command, credit.Issue](),
		of[domain.Command, payment.Receive](),
		of[domain.Command, payment.Allocate](),
		of[domain.Command, payment.Unallocate](),
		of[domain.Command, payment.Refund](),
		of[domain.Command, payment.Reverse](),
		of[domain.Command, period.Close](),
		of[domain.Command, period.Settle](),
		of[domain.Command, period.Reopen](),
		of[domain.Command, series.Configure](),
	)
)

// EventTypes lists the names of all events, sorted.
func EventTypes() []string { return slices.Sorted(maps.Keys(events)) }

// CommandTypes lists the names of all commands, sorted.
func CommandTypes() []string { return slices.Sorted(maps.Keys(commands)) }

// parts is the two parts of a stored value while it is led to a newer schema:
// maps of fields in their encoded form. Personal is nil where there is none.
type parts struct {
	Facts, Personal map[string]cbor.RawMessage
}

// upcaster changes parts of one schema version into those of the next.
type upcaster func(*parts) error

// entry is one type of a table.
type entry[T any] struct {
	blank func() T
	// upcasters lead from schema 1 to 2, from 2 to 3, and so on.
	upcasters []upcaster
}

type registry[T any] map[string]entry[T]

// of makes the entry of the type *V, which implements T.
func of[T, V any](upcasters ...upcaster) entry[T] {
	return entry[T]{
		blank:     func() T { return any(new(V)).(T) },
		upcasters: upcasters,
	}
}

func register[T any](name func(T) string, entries ...entry[T]) registry[T] {
	table := make(registry[T], len(entries))
	for _, e := range entries {
		table[name(e.blank())] = e
	}
	return table
}

// schema is the current version.
func (e entry[T]) schema() uint { return uint(len(e.upcasters)) + 1 }

// upcast leads the parts of a stored value to the current schema.
func (e entry[T]) upcast(schema uint, facts, personal []byte) ([]byte, []byte, error) {
	switch {
	case schema == e.schema():
		return facts, personal, nil
	case schema > e.schema():
		return nil, nil, fmt.Errorf("%w: this one knows schema %d", ErrNewer, e.schema())
	case schema == 0:
		return nil, nil, fmt.Errorf("%w: schema 0", ErrForm)
	}
	var p parts
	if err := unmarshal(facts, &p.Facts); err != nil {
		return nil, nil, err
	}
	if personal != nil {
		if err := unmarshal(personal, &p.Personal); err != nil {
			return nil, nil, err
		}
	}
	for at := schema; at < e.schema(); at++ {
		if err := e.upcasters[at-1](&p); err != nil {
			return nil, nil, fmt.Errorf("%w: from schema %d: %w", ErrForm, at, err)
		}
	}
	facts, err := marshal(p.Facts)
	if err != nil {
		return nil, nil, err
	}
	if personal = nil; p.Personal != nil {
		personal, err = marshal(p.Personal)
	}
	return facts, personal, err
}
