package codec

import (
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/domain/standing"
)

// states holds the state type of each kind, and its version, which goes up
// with every change of the type's form or of what its Evolve makes of events.
var states = map[domain.Kind]struct {
	version uint
	zero    domain.State
}{
	domain.KindBook:     {2, book.State{}},
	domain.KindCustomer: {4, customer.State{}},
	domain.KindInvoice:  {4, invoice.State{}},
	domain.KindCredit:   {3, credit.State{}},
	domain.KindSeries:   {1, series.State{}},
	domain.KindPayment:  {2, payment.State{}},
	domain.KindPeriod:   {2, period.State{}},
	domain.KindStanding: {2, standing.State{}},
}

// stored is the form of a state: an array of the version and the state.
type stored struct {
	_       struct{} `cbor:",toarray"`
	Version uint
	State   cbor.RawMessage
}

// NewState is the state of a stream without events.
func NewState(kind domain.Kind) (domain.State, error) {
	entry, known := states[kind]
	if !known {
		return nil, fmt.Errorf("codec: state of kind %.40q: %w", kind, ErrUnknownType)
	}
	return entry.zero, nil
}

// EncodeState gives the stored form of a state, personal data included.
func EncodeState(kind domain.Kind, s domain.State) ([]byte, error) {
	entry, known := states[kind]
	if !known || reflect.TypeOf(s) != reflect.TypeOf(entry.zero) {
		return nil, fmt.Errorf("codec: encode state of kind %.40q: %w: %T", kind, ErrUnknownType, s)
	}
	body, err := marshal(s)
	if err != nil {
		return nil, fmt.Errorf("codec: encode state of kind %s: %w", kind, err)
	}
	data, err := marshal(stored{Version: entry.version, State: body})
	if err != nil {
		return nil, fmt.Errorf("codec: encode state of kind %s: %w", kind, err)
	}
	return data, nil
}

// DecodeState reads what EncodeState gave in this release. ErrOutdated means
// that the state must be folded anew; ErrNewer that a newer release wrote it.
func DecodeState(kind domain.Kind, data []byte) (domain.State, error) {
	entry, known := states[kind]
	if !known {
		return nil, fmt.Errorf("codec: decode state of kind %.40q: %w", kind, ErrUnknownType)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("codec: decode state of kind %s: %w: %d bytes", kind, ErrTooLarge, len(data))
	}
	var form stored
	if err := decoding.Unmarshal(data, &form); err != nil {
		return nil, fmt.Errorf("codec: decode state of kind %s: %w: %w", kind, ErrForm, err)
	}
	switch {
	case form.Version > entry.version:
		return nil, fmt.Errorf("codec: decode state of kind %s: %w", kind, ErrNewer)
	case form.Version < entry.version:
		return nil, fmt.Errorf("codec: decode state of kind %s: %w", kind, ErrOutdated)
	}
	state := reflect.New(reflect.TypeOf(entry.zero))
	if err := unmarshal(form.State, state.Interface()); err != nil {
		return nil, fmt.Errorf("codec: decode state of kind %s: %w", kind, err)
	}
	return state.Elem().Interface().(domain.State), nil
}
