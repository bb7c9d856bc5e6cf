package campaign

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/ledger"
)

// asked is one call: to register a customer under a reference, to erase the one who was
// found to have it, or, where neither is set, to find who has it.
type asked struct {
	reference       string
	register, erase uuid.UUID
}

// answered is what came of it: who has the reference, uuid.Nil for nobody; for a
// registration and an erasure, whether it was taken.
type answered struct {
	who   uuid.UUID
	taken bool
}

// references is a book as far as references go: each belongs to whoever had it first,
// until they are erased.
var references = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			reference := o.Input.(asked).reference
			by[reference] = append(by[reference], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return uuid.Nil },
	Step: func(state, input, output any) (bool, any) {
		has, in, out := state.(uuid.UUID), input.(asked), output.(answered)
		switch {
		case in.erase != uuid.Nil && in.erase == has:
			return out.taken, uuid.Nil
		case in.erase != uuid.Nil:
			return !out.taken, has
		case in.register == uuid.Nil:
			return out.who == has, has
		case has == uuid.Nil:
			return out.taken, in.register
		default:
			return !out.taken, has
		}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// TestOneSequence: what callers of several processes see of a book, who has which
// reference while customers are registered and erased, is what they would see if commands and questions came one after the other,
// each between its asking and its answer (linearisability).
func TestOneSequence(t *testing.T) {
	random := seeded(t)
	dir := newBook(t)
	// The second opener is to the lock another process.
	var books []*bookdir.Book
	for range 2 {
		b, err := bookdir.Open(t.Context(), dir, options(dir))
		if err != nil {
			t.Fatal(err)
		}
		books = append(books, b)
	}
	begun := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var erased atomic.Int32
	var wg sync.WaitGroup
	for client := range 8 {
		mine := rand.New(rand.NewPCG(random.Uint64(), 2))
		wg.Go(func() {
			var found asked
			for range 150 {
				in := asked{reference: fmt.Sprint("R-", mine.IntN(60))}
				switch {
				case mine.IntN(3) == 0:
					in.register = uuid.Must(uuid.NewV7())
				case found.erase != uuid.Nil && mine.IntN(12) == 0:
					in = found
				}
				o := porcupine.Operation{ClientId: client, Input: in, Call: time.Since(begun).Nanoseconds()}
				out, err := ask(books[client%len(books)], in)
				if err != nil {
					t.Error(err)
					return
				}
				o.Output, o.Return = out, time.Since(begun).Nanoseconds()
				if out.who != uuid.Nil {
					found = asked{reference: in.reference, erase: out.who}
				}
				if out.taken && in.erase != uuid.Nil {
					erased.Add(1)
				}
				note("client %d from %dns to %dns: reference %s, register %s, erase %s: has it %s, taken %t",
					client, o.Call, o.Return, in.reference, in.register, in.erase, out.who, out.taken)
				mu.Lock()
				history = append(history, o)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := len(books) - 1; i >= 0; i-- {
		if err := books[i].Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if erased.Load() == 0 {
		t.Error("nobody was erased")
	}
	if result := porcupine.CheckOperationsTimeout(references, history, time.Minute); result != porcupine.Ok {
		t.Errorf("a history of %d calls is no sequence: %s", len(history), result)
	}
	// The check can tell: a history in which somebody finds what nobody registered is none.
	wrong := append(history, porcupine.Operation{
		ClientId: 99, Input: asked{reference: "R-0"}, Output: answered{who: uuid.Must(uuid.NewV7())},
		Call: time.Since(begun).Nanoseconds(), Return: time.Since(begun).Nanoseconds() + 1,
	})
	if result := porcupine.CheckOperationsTimeout(references, wrong, time.Minute); result != porcupine.Illegal {
		t.Errorf("a history that cannot be was %s", result)
	}
}

func ask(b *bookdir.Book, in asked) (answered, error) {
	e := ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner"}
	switch {
	case in.erase != uuid.Nil:
		e.Command = &erasure.Erase{Customer: in.erase, Scope: customer.All, Reason: "asked"}
	case in.register != uuid.Nil:
		e.Command = &customer.Register{ID: in.register, Country: "GB", Personal: &customer.Profile{Name: "Ada", Reference: in.reference}}
	default:
		stream, found, err := b.Find(context.Background(), domain.Reference{Kind: domain.CustomerReference, Value: in.reference})
		if !found {
			stream.ID = uuid.Nil
		}
		return answered{who: stream.ID}, err
	}
	_, err := b.Do(context.Background(), e)
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return answered{}, nil
	}
	return answered{taken: err == nil}, err
}
