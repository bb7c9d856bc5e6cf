package memory_test

import (
	"testing"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/testing/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		log := memory.NewLog(0)
		open := func(*testing.T) eventstore.Store { return memory.Open(log) }
		return storetest.Harness{Store: memory.Open(log), Another: open, Reopen: open}
	})
}

func TestLogsAreApart(t *testing.T) {
	one, other := memory.New(), memory.New()
	if err := one.Append(t.Context(), 0, []byte("page")); err != nil {
		t.Fatal(err)
	}
	if last, err := other.Last(t.Context()); err != nil || last != 0 {
		t.Fatalf("last page %d, %v; want 0", last, err)
	}
	if got, want := memory.Open(memory.NewLog(100)).MaxPage(), 100; got != want {
		t.Fatalf("largest page %d, want %d", got, want)
	}
}
