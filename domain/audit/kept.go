package audit

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/period"
)

// kept is the form in which a check is kept, to be gone on with.
type kept struct {
	State    period.State      `json:"state"`
	Sums     []keptSum         `json:"sums"`
	ClosedAt uint64            `json:"closed_at"`
	Roots    map[uint64][]byte `json:"roots"`
	Settled  int               `json:"settled"`
}

// keptSum is one of its sums. A base is in a currency of its own.
type keptSum struct {
	Date     domain.Date     `json:"date"`
	Account  account.Account `json:"account"`
	Currency money.Currency  `json:"currency"`
	Amount   money.Amount    `json:"amount"`
	Base     money.Amount    `json:"base"`
}

// MarshalJSON implements json.Marshaler.
func (p *Periods) MarshalJSON() ([]byte, error) {
	k := kept{State: p.state, Sums: make([]keptSum, 0, len(p.sums)), ClosedAt: p.closedAt, Roots: p.roots, Settled: p.settled}
	for key, sum := range p.sums {
		k.Sums = append(k.Sums, keptSum{key.date, key.account, key.currency, sum.amount, sum.base})
	}
	return json.Marshal(k)
}

// UnmarshalJSON implements json.Unmarshaler: what MarshalJSON gave.
func (p *Periods) UnmarshalJSON(data []byte) error {
	var k kept
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields() // a later form
	if err := strict.Decode(&k); err != nil {
		return fmt.Errorf("audit: a check that was kept: %w", err)
	}
	*p = *NewPeriods()
	p.state, p.closedAt, p.settled = k.State, k.ClosedAt, k.Settled
	for size, root := range k.Roots {
		p.roots[size] = root
	}
	for _, s := range k.Sums {
		p.sums[posted{s.Date, s.Account, s.Currency}] = worth{s.Amount, s.Base}
	}
	return nil
}
