package bookdir

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/ledger"
)

// An erasure beside a deep verification stands in a page that the verification does not
// come to, and is one all the same.
func TestDeepBesideAnErasure(t *testing.T) {
	t.Parallel()
	dir, o := create(t)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	ada := register("Ada")
	id := ada.Command.(*customer.Register).ID
	commands := []ledger.Envelope{ada}
	for i := range 40 {
		commands = append(commands, ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &customer.Change{
			ID: id, Country: "GB", Personal: &customer.Profile{Name: fmt.Sprint("Ada ", i)},
		}})
	}
	for _, c := range commands {
		if _, err := b.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	l, err := OpenLog(t.Context(), dir, 0, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	deep, err := OpenDeep(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer deep.Close(context.Background())
	erased := false
	r, err := l.Verify(t.Context(), VerifyOptions{Deep: deep, Unkept: true, Slow: func() {
		if erased {
			return
		}
		erased = true
		c := ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &erasure.Erase{Customer: id, Scope: customer.All, Reason: "asked"}}
		if _, err := b.Do(t.Context(), c); err != nil {
			t.Error(err)
		}
		deep.link.keys.ForgetAll() // as where there are more keys than are remembered
	}})
	if err != nil || !r.OK || r.Size != uint64(1+len(commands)) {
		t.Errorf("of size %d: %v, %v", r.Size, r.Failures, err)
	}
}
