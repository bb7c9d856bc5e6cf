// Package payment is money that customers pay: received, allocated over open
// items, kept as the customer's credit where it exceeds them, refunded, and
// reversed when a bank takes it back. Credit that came of a credit note is
// allocated, released and refunded by the same commands: what there is of either
// is package funds'.
//
// Money goes to the customer's credit when it is received, and from there to
// what it is allocated to. Allocations, releases and refunds have dates of their
// own. A use is dated when all that is free was free already, and an item is
// paid from its own date, or that of its latest reopening, on: so what was used
// and what was open are right on every day, not only in the end.
//
// An invoice that was written off can be paid after all: what goes beyond its
// open amount first takes back the write-off, as package invoice describes.
//
// A reversal releases all allocations of the payment and takes the rest off the
// customer's credit. What was refunded, or drawn on as the prepaid amount of an
// invoice, is no longer there to be taken: it becomes a claim, a receivable on
// the payment itself. The claim is an open item like an invoice: due on the date
// of the reversal, and paid by allocating other funds to it.
//
// Refusals, besides those of packages field, exchange, book and invoice:
//
//	payment-exists       the id is taken
//	unknown-payment      no payment has this id
//	unknown-credit       no credit note has this id
//	unknown-customer     no customer has this id
//	unknown-invoice      no invoice has this id
//	foreign-currency     the amount, or the item, is in another currency than the funds
//	invalid-amount       the amount is zero or below, or beyond 10^15 minor units
//	reference-taken      another payment bears the external reference
//	invalid-source       what is allocated is neither a payment nor a credit note
//	invalid-target       what it is allocated to is neither an invoice nor a payment
//	customer-mismatch    the item, or the funds, are another customer's
//	not-issued           the invoice is not issued yet, or was discarded
//	not-reversed         the payment to be paid back was not reversed
//	insufficient-credit  more is used than is free
//	over-allocated       more is allocated to an item than is open of it
//	nothing-open         nothing is open of the item
//	nothing-free         nothing is free
//	no-allocations       nothing is named to allocate to, or to release from
//	not-allocated        nothing is allocated to the item, or less
//	before-credit        the date is before the funds came free
//	before-invoice       the date is before the item was open
//	before-allocation    the date is before that of the allocation
//	before-use           the date of a reversal is before the payment was last used
//	payment-reversed     the payment was reversed
package payment

import (
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/money"
)

// Stream is the stream of a payment.
func Stream(id uuid.UUID) domain.StreamID {
	return domain.StreamID{Kind: domain.KindPayment, ID: id}
}

// Status is where a payment stands.
type Status string

// The statuses.
const (
	StatusReceived Status = "received"
	StatusReversed Status = "reversed"
)

// Received begins a payment: money came in, and is the customer's credit.
type Received struct {
	Customer uuid.UUID `json:"customer"`
	// Amount is above zero.
	Amount money.Amount `json:"amount"`
	// Exchange is the rate of that day, and Base what the amount was worth: none
	// in the book's currency.
	Exchange exchange.Rate `json:"exchange,omitzero"`
	Base     *money.Amount `json:"base,omitempty"`
	Date     domain.Date   `json:"date"`
	// Method is how it was paid, such as "bank" or "card".
	Method string `json:"method,omitempty"`
	// Reference is the payment's name at the bank or in the system that it came
	// from (ext:…), unique among payments. Method and Reference are facts that
	// are never erased, and must not name a person.
	Reference string      `json:"reference,omitempty"`
	Personal  *funds.Text `cbor:"-" json:"personal,omitempty"`
}

// EventType implements domain.Event.
func (*Received) EventType() string { return "payment.received" }

// Subject implements domain.Personal.
func (e *Received) Subject() uuid.UUID { return e.Customer }

// PersonalPart implements domain.Personal.
func (e *Received) PersonalPart() any { return &e.Personal }

// References implements domain.Referenced.
func (e *Received) References() []domain.Reference { return references(e.Reference) }

func references(reference string) []domain.Reference {
	if reference == "" {
		return nil
	}
	return []domain.Reference{{Kind: domain.PaymentReference, Value: reference}}
}

// Reversed takes a payment back: a bank return, or a chargeback. Its allocations
// were released before, in the same commit.
type Reversed struct {
	Customer uuid.UUID `json:"customer"`
	// Amount is the whole payment's; Claim is the part of it that was refunded
	// or drawn on, which is to be paid back. The rest is taken off the
	// customer's credit.
	Amount money.Amount `json:"amount"`
	Claim  money.Amount `json:"claim"`
	// Exchange is the rate at which it was taken back, where that is not the
	// payment's own; Base is nil in the book's currency.
	Exchange exchange.Rate  `json:"exchange,omitzero"`
	Base     *ReversedWorth `json:"base,omitempty"`
	Date     domain.Date    `json:"date"`
	Reason   string         `json:"reason"`
}

// ReversedWorth is what the parts of a reversal are worth in the book's currency.
type ReversedWorth struct {
	// Money is what was taken back, Claim what is to be paid back, and Free what
	// is taken off the customer's credit.
	Money money.Amount `json:"money"`
	Claim money.Amount `json:"claim"`
	Free  money.Amount `json:"free"`
}

// Worths gives the whole, what is to be paid back, and what is taken off the
// customer's credit.
func (e *Reversed) Worths() (whole, claim, free exchange.Worth, err error) {
	off, err := e.Amount.Sub(e.Claim)
	if e.Base == nil {
		return exchange.Of(e.Amount, nil), exchange.Of(e.Claim, nil), exchange.Of(off, nil), err
	}
	return exchange.Of(e.Amount, &e.Base.Money), exchange.Of(e.Claim, &e.Base.Claim), exchange.Of(off, &e.Base.Free), err
}

// EventType implements domain.Event.
func (*Reversed) EventType() string { return "payment.reversed" }

// ClaimPaid takes funds of another source off what a reversed payment left to
// be paid back. It stands in the commit of funds.Allocated, which is posted.
type ClaimPaid struct {
	Source domain.StreamID `json:"source"`
	Amount money.Amount    `json:"amount"`
	Base   *money.Amount   `json:"base,omitempty"`
	Date   domain.Date     `json:"date"`
}

// EventType implements domain.Event.
func (*ClaimPaid) EventType() string { return "payment.claim-paid" }

// ClaimReopened takes a ClaimPaid back, or part of it. It stands in the commit
// of funds.Released, which is posted.
type ClaimReopened struct {
	Source domain.StreamID `json:"source"`
	Amount money.Amount    `json:"amount"`
	Base   *money.Amount   `json:"base,omitempty"`
	Date   domain.Date     `json:"date"`
}

// EventType implements domain.Event.
func (*ClaimReopened) EventType() string { return "payment.claim-reopened" }

// State is what decisions need of a payment. The zero State is none.
type State struct {
	Customer uuid.UUID   `json:"customer,omitzero"`
	Date     domain.Date `json:"date,omitempty"`
	// Funds are where the money went. Of a reversed payment nothing is free.
	Funds funds.Funds `json:"funds"`
	// Reversed is the date of the reversal, empty without one.
	Reversed domain.Date `json:"reversed,omitempty"`
	// Claim is what a reversal left to be paid back; Open is what is still open
	// of it, from Reopened on.
	Claim    money.Amount `json:"claim,omitzero"`
	Open     money.Amount `json:"open,omitzero"`
	OpenBase money.Amount `json:"open_base,omitzero"`
	Reopened domain.Date  `json:"reopened,omitempty"`
}

// Owed is what is open of the claim, with its worth.
func (s State) Owed() exchange.Worth { return exchange.Worth{Amount: s.Open, Base: s.OpenBase} }

// Status is where the payment stands.
func (s State) Status() Status {
	if s.Reversed != "" {
		return StatusReversed
	}
	return StatusReceived
}

// Evolve implements domain.State.
func (s State) Evolve(event domain.Event) (domain.State, error) {
	if !s.takes(event) {
		at := "nothing"
		if s.Date != "" {
			at = "a payment that is " + string(s.Status())
		}
		return nil, domain.OutOfSequence(at, event)
	}
	switch e := event.(type) {
	case *Received:
		zero := money.Zero(e.Amount.Currency())
		return State{
			Customer: e.Customer, Date: e.Date, Funds: funds.New(exchange.Of(e.Amount, e.Base), e.Date),
			Claim: zero, Open: zero,
		}, nil
	case *Reversed:
		return s.reverse(e)
	case *ClaimPaid:
		return s.claim(e, exchange.Of(e.Amount, e.Base), e.Date, true)
	case *ClaimReopened:
		return s.claim(e, exchange.Of(e.Amount, e.Base), e.Date, false)
	default:
		evolved, err := s.Funds.Evolve(event)
		if err != nil {
			return nil, err
		}
		s.Funds = evolved
		return s, nil
	}
}

// takes reports whether the event may follow.
func (s State) takes(event domain.Event) bool {
	switch event.(type) {
	case *Received:
		return s.Date == ""
	case *ClaimPaid, *ClaimReopened:
		return s.Reversed != ""
	default:
		return s.Date != "" && s.Reversed == ""
	}
}

func (s State) reverse(e *Reversed) (domain.State, error) {
	whole, claim, free, err := e.Worths()
	if err != nil {
		return nil, err
	}
	used, err := s.Funds.Refunded.Add(s.Funds.Drawn)
	if err != nil {
		return nil, err
	}
	if len(s.Funds.Uses) != 0 || whole.Amount != s.Funds.Amount || claim.Amount != used || e.Date < s.Funds.Last ||
		free != s.Funds.Left() || !claim.Sound() {
		return nil, domain.OutOfSequence("a payment that is used otherwise", e)
	}
	s.Funds.Free, s.Funds.FreeBase = money.Zero(e.Amount.Currency()), money.Zero(free.Base.Currency())
	s.Reversed, s.Reopened = e.Date, e.Date
	s.Claim, s.Open, s.OpenBase = claim.Amount, claim.Amount, claim.Base
	return s, nil
}

// claim pays an amount of the claim, or opens it again.
func (s State) claim(e domain.Event, moved exchange.Worth, date domain.Date, pays bool) (domain.State, error) {
	var open exchange.Worth
	var err error
	if pays {
		open, err = s.Owed().Sub(moved)
	} else {
		open, err = s.Owed().Add(moved)
		s.Reopened = max(s.Reopened, date)
	}
	if err != nil {
		return nil, err
	}
	if moved.Amount.Sign() <= 0 || !open.Sound() || open.Amount.Minor() > s.Claim.Minor() {
		return nil, domain.OutOfSequence("a claim of which another amount is open", e)
	}
	s.Open, s.OpenBase = open.Amount, open.Base
	return s, nil
}
