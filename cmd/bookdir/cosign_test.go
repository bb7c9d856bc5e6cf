package bookdir

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
)

// A book that goes on while a witness is asked about it, and has more cosigned, is no
// other than the one that the witness knows.
func TestAskingAWitnessOfALivingBook(t *testing.T) {
	folder, secret, err := witness.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &witness.Witness{
		Name: "witness.example/w1", Key: secret, State: folder, Now: time.Now,
		Admit: func(transparency.KeyList) bool { return true },
	}
	var meanwhile atomic.Pointer[func()] // called once, before a question is answered
	handler := w.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if f := meanwhile.Swap(nil); f != nil {
			(*f)()
		}
		handler.ServeHTTP(rw, r)
	}))
	defer server.Close()
	dir, o := create(t)
	admin := openAdmin(t, dir, o)
	if err := errors.Join(admin.AddWitness(w.Public(), server.URL, 1), admin.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	inBook(t, dir, o, func(b *Book) {
		enter := func(name string, size uint64) {
			if _, err := b.Do(context.Background(), register(name)); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if c, err := ReadCosigned(dir, b.current().info); err == nil && c.Head.Size >= size {
					return
				}
				if time.Now().After(end) {
					t.Errorf("size %d is not cosigned", size)
					return
				}
			}
		}
		enter("Ada", 2)
		l, err := OpenLog(t.Context(), dir, 0, quiet())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close(context.Background())
		meanwhile.Store(new(func() { enter("Bob", 3) }))
		r, err := l.Verify(t.Context(), VerifyOptions{Unkept: true, Ask: true})
		if err != nil || !r.OK || len(r.Asked) != 1 || r.Asked[0].Size != 3 {
			t.Errorf("%v, %+v, %v", r.Failures, r.Asked, err)
		}
	})
}
