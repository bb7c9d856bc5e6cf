package remote

import (
	"context"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/ledger"
)

// FuzzRequest gives the server whatever a holder of the key could send.
func FuzzRequest(f *testing.F) {
	e := register(1)
	facts, personal, schema, err := codec.EncodeCommand(e.Command)
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range []request{
		{ID: e.ID, By: e.Principal, Type: e.Command.CommandType(), Schema: schema, Facts: facts, Personal: personal, Expect: e.Expect},
		{Find: &domain.Reference{Kind: domain.DocumentNumber, Value: "known"}},
	} {
		data, err := cbor.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &told{answer: func(ledger.Envelope) (ledger.Receipt, error) { return ledger.Receipt{}, errPlain }}
		a := perform(context.Background(), data, b)()
		if a.Outcome != "" && a.Outcome != failed || a.Outcome == "" && len(b.asked) > 0 {
			t.Errorf("%x was answered with %+v", data, a)
		}
		var back answer
		_ = decoding.Unmarshal(data, &back)
	})
}
