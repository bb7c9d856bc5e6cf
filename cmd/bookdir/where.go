package bookdir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections"
	"github.com/daybook-ledger/daybook/projections/postgres"
	"github.com/daybook-ledger/daybook/projections/sqlite"
	"github.com/daybook-ledger/daybook/projections/views"
)

// InFolder says, in place of a URL, that views are in the book's folder.
const InFolder = "sqlite"

// viewsName is the file that records where the views are.
const viewsName = "views.url"

// ViewsAt gives where a book's folder records that its views are: InFolder, or a
// URL.
func ViewsAt(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, viewsName))
	if errors.Is(err, os.ErrNotExist) {
		return InFolder, nil
	}
	if err != nil {
		return "", fmt.Errorf("bookdir: where the views are: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// CheckViews refuses a text that is neither InFolder nor the URL of a database.
func CheckViews(at string) error {
	if at == InFolder {
		return nil
	}
	_, err := postgres.ParseURL(at)
	return err
}

// RecordViews records where the views are. A password is not recorded.
func RecordViews(dir, at string) error {
	if err := CheckViews(at); err != nil {
		return err
	}
	if postgres.Password(at) {
		return fmt.Errorf("bookdir: %w: a password is not recorded", postgres.ErrURL)
	}
	return writeDurably(filepath.Join(dir, viewsName), []byte(at+"\n"), 0o600)
}

// viewStore is open views.
type viewStore interface {
	projections.Store
	Close() error
}

// place is a kind of database that the views of a book are in.
type place interface {
	open(ctx context.Context) (viewStore, *views.Queries, error)
	rebuild(ctx context.Context, r views.Rebuild) error
	// stale reports whether the live views, if any, were begun before the newest
	// erasure.
	stale(ctx context.Context, erased keyring.KeyID) (bool, error)
}

// place gives where the views are: where the book was opened with, or what is
// recorded.
func (b *Book) place() (place, error) {
	at := b.options.Views
	if at == "" {
		var err error
		if at, err = ViewsAt(b.Dir); err != nil {
			return nil, err
		}
	}
	if at == InFolder {
		return inFolder{b}, nil
	}
	erased, err := b.Keys().Named(stateKey)
	return inDatabase{postgres.Options{URL: at, Book: b.Info.Book, Erasure: int64(erased)}}, err
}

// inFolder is views in SQLite.
type inFolder struct{ book *Book }

func (p inFolder) open(ctx context.Context) (viewStore, *views.Queries, error) {
	s, err := sqlite.Open(ctx, p.book.viewsDir(), currentKeys{p.book})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Queries, nil
}

func (p inFolder) rebuild(ctx context.Context, r views.Rebuild) error {
	return sqlite.Rebuild(ctx, p.book.viewsDir(), currentKeys{p.book}, r)
}

func (p inFolder) stale(_ context.Context, erased keyring.KeyID) (bool, error) {
	live, err := sqlite.LiveKey(p.book.viewsDir())
	return err == nil && live <= erased, nil // where there are none, or opening them tells what is wrong
}

// inDatabase is views in PostgreSQL or CockroachDB.
type inDatabase struct{ options postgres.Options }

func (p inDatabase) open(ctx context.Context) (viewStore, *views.Queries, error) {
	s, err := postgres.Open(ctx, p.options)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Queries, nil
}

func (p inDatabase) rebuild(ctx context.Context, r views.Rebuild) error {
	return postgres.Rebuild(ctx, p.options, r)
}

func (p inDatabase) stale(ctx context.Context, erased keyring.KeyID) (bool, error) {
	status, erasure, err := postgres.Look(ctx, p.options)
	if errors.Is(err, projections.ErrDamaged) || errors.Is(err, projections.ErrNewer) {
		return false, nil // opening them tells what is wrong
	}
	return status.Page > 0 && erasure < int64(erased), err
}

// ViewsStatus is what can be told of views without any key.
type ViewsStatus struct {
	// At is InFolder, or the URL, without what is secret.
	At string `json:"at"`
	// Size is how many commits they hold; absent where the folder keeps them, for
	// they are encrypted, and where they cannot be reached.
	Size *uint64 `json:"size,omitempty"`
	// Clear says that whoever reads the database reads personal data.
	Clear bool `json:"clear,omitempty"`
	// Plain says that the way to the database is not protected by TLS with a
	// certificate that is checked.
	Plain bool `json:"plain,omitempty"`
	// Fault is why they cannot be read, if they cannot.
	Fault *projections.Fault `json:"-"`
	Code  string             `json:"code,omitempty"`
}

// Views tells where the views are, and how far, as it can be told without any
// key. at is where the caller says they are; empty for what is recorded.
func (l *Log) Views(ctx context.Context, at string) (ViewsStatus, error) {
	if at == "" {
		var err error
		if at, err = ViewsAt(l.link.dir); err != nil {
			return ViewsStatus{}, err
		}
	}
	if at == InFolder {
		return ViewsStatus{At: InFolder}, nil
	}
	s := ViewsStatus{At: postgres.Redacted(at), Clear: true, Plain: postgres.Plain(at)}
	status, _, err := postgres.Look(ctx, postgres.Options{URL: at, Book: l.Info.Book})
	if err == nil {
		s.Size = &status.Size
		return s, nil
	}
	if errors.As(err, &s.Fault) {
		s.Code = s.Fault.Code
		return s, nil
	}
	return s, err
}
