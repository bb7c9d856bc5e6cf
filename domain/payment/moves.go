package payment

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
)

// moves collects the events of one command about the funds of one source. Each
// step is decided against the states that those before it lead to.
type moves struct {
	states  domain.States
	source  domain.StreamID
	date    domain.Date
	changes []domain.Change
	changed map[domain.StreamID]domain.State

	customer uuid.UUID
	// moved is what the command adds to the customer's credit in sum.
	moved exchange.Worth
}

func newMoves(s domain.States, source domain.StreamID, date domain.Date) *moves {
	return &moves{states: s, source: source, date: date, changed: map[domain.StreamID]domain.State{}}
}

// State implements domain.States: what is, with the command's events so far.
func (w *moves) State(id domain.StreamID) (domain.State, error) {
	if state, known := w.changed[id]; known {
		return state, nil
	}
	return w.states.State(id)
}

// Find implements domain.States.
func (w *moves) Find(r domain.Reference) (domain.StreamID, bool, error) { return w.states.Find(r) }

// do adds an event to a stream; a payment may begin with it.
func (w *moves) do(stream domain.StreamID, event domain.Event) error {
	state, err := w.State(stream)
	if err != nil {
		return err
	}
	if state == nil {
		state = State{}
	}
	if state, err = state.Evolve(event); err != nil {
		return err
	}
	w.changed[stream] = state
	w.changes = append(w.changes, domain.Change{Stream: stream, Event: event})
	return nil
}

// begin looks the source up, which must have been received and not reversed.
func (w *moves) begin() error {
	if w.source.Kind == domain.KindCredit {
		note, found, err := credit.Load(w, w.source.ID)
		if err == nil && !found {
			err = domain.Refuse("unknown-credit", "no credit note has the id %s", w.source.ID)
		}
		w.customer = note.Customer
		return err
	}
	state, err := Load(w, w.source.ID)
	if err != nil {
		return err
	}
	if state.Reversed != "" {
		return domain.Refuse("payment-reversed", "the payment %s was reversed on %s", w.source.ID, state.Reversed)
	}
	w.customer = state.Customer
	return nil
}

// free is the source's funds now.
func (w *moves) free() (funds.Funds, error) {
	state, err := w.State(w.source)
	if err != nil {
		return funds.Funds{}, err
	}
	switch s := state.(type) {
	case State:
		return s.Funds, nil
	case credit.State:
		return s.Funds, nil
	default:
		return funds.Funds{}, fmt.Errorf("payment: the stream %s holds a %T", w.source, state)
	}
}

// take refuses to use more than is free, or before it was, and takes it off the
// customer's credit. It gives what that was worth.
func (w *moves) take(amount money.Amount) (exchange.Worth, error) {
	held, err := w.free()
	switch {
	case err != nil:
		return exchange.Worth{}, err
	case amount.IsZero():
		return exchange.Worth{}, domain.Refuse("nothing-free", "nothing is free of %s", w.source)
	case amount.Currency() != held.Free.Currency():
		return exchange.Worth{}, domain.Refuse("foreign-currency", "the funds are in %s, not in %s", held.Free.Currency(), amount.Currency())
	case amount.Minor() > held.Free.Minor():
		return exchange.Worth{}, domain.Refuse("insufficient-credit", "%s would be used, but %s is free", amount, held.Free)
	case w.date < held.Since:
		return exchange.Worth{}, domain.Refuse("before-credit", "%s is before %s, the date from which it is free", w.date, held.Since).
			WithHint("give a date from %s on", held.Since)
	}
	taken, err := held.Left().Part(amount)
	if err != nil {
		return exchange.Worth{}, err
	}
	return taken, w.move(taken, false)
}

// move counts what the customer's credit gains, or loses.
func (w *moves) move(moved exchange.Worth, gains bool) (err error) {
	if gains {
		w.moved, err = w.moved.Add(moved)
	} else {
		w.moved, err = w.moved.Sub(moved)
	}
	return err
}

// item is an open item: an invoice, or the claim of a reversed payment.
type item struct {
	customer uuid.UUID
	open     exchange.Worth
	// off is what was written off, and is taken back when it is paid after all.
	off money.Amount
}

// item looks up what is to be paid, which must be of the same customer and open
// on the date.
func (w *moves) item(target domain.StreamID) (item, error) {
	it, err := w.lookUp(target)
	if err == nil && it.customer != w.customer {
		err = domain.Refuse("customer-mismatch", "%s is another customer's", target)
	}
	return it, err
}

func (w *moves) lookUp(target domain.StreamID) (item, error) {
	if target.Kind == domain.KindInvoice {
		state, err := invoice.LoadIssued(w, target)
		if err != nil {
			return item{}, err
		}
		return item{state.Customer, state.Owed(), state.WrittenOff}, state.OpenFrom(w.date)
	}
	state, err := Load(w, target.ID)
	if err != nil {
		return item{}, err
	}
	switch {
	case state.Reversed == "":
		return item{}, domain.Refuse("not-reversed", "the payment %s was not reversed: nothing of it is to be paid back", target.ID)
	case w.date < state.Reopened:
		return item{}, domain.Refuse("before-invoice", "%s is before %s, when the payment was reversed or last opened again",
			w.date, state.Reopened)
	}
	return item{state.Customer, state.Owed(), money.Zero(state.Funds.Amount.Currency())}, nil
}

// allocate uses funds for an item. What goes beyond its open amount takes back
// what was written off of it.
func (w *moves) allocate(share Share) error {
	it, err := w.item(share.Target)
	if err != nil {
		return err
	}
	owed, err := it.open.Amount.Add(it.off)
	if err != nil {
		return err
	}
	amount, err := w.payable(share, owed)
	if err != nil {
		return err
	}
	taken, err := w.take(amount)
	if err != nil {
		return err
	}
	if err := w.recover(share.Target, it, amount); err != nil {
		return err
	}
	if it, err = w.lookUp(share.Target); err != nil { // with what was taken back
		return err
	}
	paid, err := it.open.Part(amount)
	if err != nil {
		return err
	}
	if err := w.do(w.source, &funds.Allocated{
		Customer: w.customer, Target: share.Target, Amount: amount, Base: funds.Told(taken, paid), Date: w.date,
	}); err != nil {
		return err
	}
	if share.Target.Kind == domain.KindInvoice {
		return w.do(share.Target, &invoice.Allocated{Source: w.source, Amount: amount, Base: paid.Told(), Date: w.date})
	}
	return w.do(share.Target, &ClaimPaid{Source: w.source, Amount: amount, Base: paid.Told(), Date: w.date})
}

// payable is how much of an item, of which so much is owed, a share pays.
func (w *moves) payable(share Share, owed money.Amount) (money.Amount, error) {
	held, err := w.free()
	if err != nil {
		return money.Amount{}, err
	}
	if c := held.Amount.Currency(); owed.Currency() != c {
		return money.Amount{}, domain.Refuse("foreign-currency", "%s is in %s, and the funds are in %s", share.Target, owed.Currency(), c).
			WithHint("pay it with money in %s, which a payment in %s is not", owed.Currency(), c)
	}
	amount := share.Amount
	if amount.IsZero() {
		amount = owed
		if held.Free.Minor() < owed.Minor() {
			amount = held.Free
		}
	}
	switch {
	case owed.IsZero():
		return money.Amount{}, domain.Refuse("nothing-open", "nothing is open of %s", share.Target)
	case amount.Currency() == owed.Currency() && amount.Minor() > owed.Minor():
		return money.Amount{}, domain.Refuse("over-allocated", "%s would be allocated to %s, of which %s is open", amount, share.Target, owed).
			WithHint("what is not allocated stays credit of the customer")
	}
	return amount, nil
}

// recover takes back what the payment shows to have been written off wrongly.
func (w *moves) recover(target domain.StreamID, it item, amount money.Amount) error {
	back, err := amount.Sub(it.open.Amount)
	if err != nil || back.Sign() <= 0 {
		return err
	}
	state, err := invoice.Load(w, target.ID)
	if err != nil {
		return err
	}
	recovered, err := state.Recover(back, w.source, w.date, nil)
	if err != nil || recovered == nil {
		return err
	}
	return w.do(target, recovered)
}

// release takes an allocation back.
func (w *moves) release(share Share) error {
	held, err := w.free()
	if err != nil {
		return err
	}
	use, at := held.At(share.Target)
	amount := share.Amount
	if amount.IsZero() {
		amount = use.Amount
	}
	switch {
	case at < 0:
		return domain.Refuse("not-allocated", "nothing of %s is allocated to %s", w.source, share.Target)
	case amount.Currency() != use.Amount.Currency():
		return domain.Refuse("foreign-currency", "the funds are in %s, not in %s", use.Amount.Currency(), amount.Currency())
	case amount.Minor() > use.Amount.Minor():
		return domain.Refuse("not-allocated", "%s would be taken back from %s, but only %s is allocated to it",
			amount, share.Target, use.Amount)
	case w.date < use.Date:
		return domain.Refuse("before-allocation", "%s is before %s, the date of the allocation", w.date, use.Date)
	}
	ofFunds, ofItem := use.Worth()
	if ofFunds, err = ofFunds.Part(amount); err != nil {
		return err
	}
	if ofItem, err = ofItem.Part(amount); err != nil {
		return err
	}
	if err := w.move(ofFunds, true); err != nil {
		return err
	}
	if err := w.do(w.source, &funds.Released{
		Customer: w.customer, Target: share.Target, Amount: amount, Base: funds.Told(ofFunds, ofItem), Date: w.date,
	}); err != nil {
		return err
	}
	if share.Target.Kind == domain.KindInvoice {
		return w.do(share.Target, &invoice.Unallocated{Source: w.source, Amount: amount, Base: ofItem.Told(), Date: w.date})
	}
	return w.do(share.Target, &ClaimReopened{Source: w.source, Amount: amount, Base: ofItem.Told(), Date: w.date})
}

// end gives the events, and with them what they do to the customer's credit.
func (w *moves) end() ([]domain.Change, error) {
	if !w.moved.Amount.IsZero() {
		held, err := w.free()
		if err != nil {
			return nil, err
		}
		if err := w.do(customer.Stream(w.customer), &customer.CreditMoved{
			Source: w.source, Amount: w.moved.Amount, Base: w.moved.Told(), Date: w.date, Since: held.Since,
		}); err != nil {
			return nil, err
		}
	}
	if len(w.changes) == 0 {
		return nil, fmt.Errorf("payment: nothing came of the command on %s", w.source)
	}
	return w.changes, nil
}
