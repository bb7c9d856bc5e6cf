package bookdir

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gbp(t *testing.T) money.Currency {
	t.Helper()
	c, err := money.ParseCurrency("GBP")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shared is a new book and the file of its root key, which tests copy: made for the
// first of them, removed by TestMain.
var shared struct {
	sync.Mutex
	folder string
}

// create gives a new book in a folder of its own. All these are copies of one: where a
// test takes two, createAnother makes the second.
func create(t *testing.T) (string, Options) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.folder == "" {
		folder, err := os.MkdirTemp("", "daybook-shared-")
		if err != nil {
			t.Fatal(err)
		}
		shared.folder = folder
		createIn(t, folder)
	}
	folder := copyOf(t, shared.folder)
	key := filepath.Join(folder, "key")
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "book"), Options{Root: keyring.KeyFile(key), Clock: SystemClock(), Log: quiet()}
}

// createAnother makes a book that is none of those of create.
func createAnother(t *testing.T) (string, Options) {
	t.Helper()
	return createIn(t, t.TempDir())
}

func createIn(t *testing.T, folder string) (string, Options) {
	t.Helper()
	dir, key := filepath.Join(folder, "book"), filepath.Join(folder, "key")
	if err := os.Rename(keyFile(t), key); err != nil {
		t.Fatal(err)
	}
	root := keyring.KeyFile(key)
	_, err := Create(t.Context(), dir, Settings{
		Seller: book.Seller{Name: "Acme Ltd", Country: "GB"}, Currency: gbp(t), Owner: "owner",
		Root: root, Clock: SystemClock(), Log: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir, Options{Root: root, Clock: SystemClock(), Log: quiet()}
}

func register(name string) ledger.Envelope {
	return ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: "owner", Command: &customer.Register{
		ID: uuid.Must(uuid.NewV7()), Country: "GB", Personal: &customer.Profile{Name: name},
	}}
}

func TestReceiptsAreValidAndCommandsRepeatable(t *testing.T) {
	dir, o := create(t)
	b, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := b.Info.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	e := register("Ada")
	first, err := b.Do(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Verify(verifier); err != nil || first.Repeated {
		t.Errorf("receipt: %v, repeated %v", err, first.Repeated)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if b, err = Open(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	second, err := b.Do(t.Context(), e)
	if err != nil || !second.Repeated || second.Position != first.Position || second.Entry != first.Entry {
		t.Errorf("repeated: %+v, %v; want the commit at %d", second, err, first.Position)
	}
	other := register("Bob")
	other.ID = e.ID
	var refusal *domain.Refusal
	if _, err := b.Do(t.Context(), other); !errors.As(err, &refusal) || refusal.Code != ledger.CodeCommandIDReused {
		t.Errorf("the same id with other content: %v", err)
	}
}

// A second opener in the same process is, to the lock, another process.
func TestASecondProcessUsesTheHolders(t *testing.T) {
	dir, o := create(t)
	holder, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	guest, err := Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close(context.Background())
	e := register("Ada")
	receipt, err := guest.Do(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := holder.Do(t.Context(), e); err != nil || !again.Repeated || again.Position != receipt.Position {
		t.Errorf("the holder says %+v, %v", again, err)
	}
	last, err := guest.Store().Last(t.Context())
	if err != nil || last < 2 {
		t.Errorf("the guest reads to page %d, %v", last, err)
	}
	if err := holder.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The holder has gone: the guest takes its place.
	if again, err := guest.Do(t.Context(), e); err != nil || !again.Repeated || again.Position != receipt.Position {
		t.Errorf("the guest as holder says %+v, %v", again, err)
	}
	if _, err := guest.Do(t.Context(), register("Bob")); err != nil {
		t.Error(err)
	}
}

// A log in a folder that cannot be written is not opened, and that is what is told.
func TestUnwritable(t *testing.T) {
	for _, cause := range []error{syscall.EACCES, syscall.EPERM} {
		if err := unwritable(&fs.PathError{Op: "open", Path: "store/lock", Err: cause}); !errors.Is(err, ErrUnwritable) || !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	if err := unwritable(io.EOF); !errors.Is(err, io.EOF) || errors.Is(err, ErrUnwritable) {
		t.Error(err)
	}
	if os.Geteuid() == 0 {
		t.Skip("whoever is root may write anywhere")
	}
	dir, _ := create(t)
	allow := func(folder, file fs.FileMode) {
		for path, mode := range map[string]fs.FileMode{"store/lock": file, "store": folder, ".": folder} {
			if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	allow(0o500, 0o400)
	defer allow(0o700, 0o600)
	if _, err := OpenLog(t.Context(), dir, 0, quiet()); !errors.Is(err, ErrUnwritable) {
		t.Error(err)
	}
}
