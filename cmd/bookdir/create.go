package bookdir

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/rules"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/jetstream"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/ledger"
)

// The keys that the ring knows by name. Subject keys have none: the log says
// which customer's they are.
const (
	factsKey     = "facts"
	signingKey   = "signing"
	digestKey    = "digest"
	transportKey = "transport"
	stateKey     = "state"
)

// Settings is what a new book begins with.
type Settings struct {
	Seller   book.Seller
	Currency money.Currency
	// TaxBasis is empty for the usual one.
	TaxBasis tax.Basis
	// Owner is the principal who owns the book.
	Owner string
	// Root is the ring's root key, KeyFile its path if it is a file.
	Root    keyring.Root
	KeyFile string
	// RingOptions are for tests: a cheaper key derivation.
	RingOptions []keyring.Option
	Clock       ledger.Clock
	Log         *slog.Logger
}

// Create makes a book in a folder that is empty or not there yet. A command that
// the rules refuse leaves nothing behind; after any other failure the folder
// holds no book.json, and so no book.
func Create(ctx context.Context, dir string, s Settings) (Info, error) {
	info := Info{Format: Format, Book: uuid.Must(uuid.NewV7()), Epoch: 1, KeyFile: s.KeyFile, Created: s.Clock.Now().UTC()}
	info.Origin = origin(info.Book, info.Epoch, nil)
	open := &book.Open{Book: info.Book, Seller: s.Seller, Currency: s.Currency, Owner: s.Owner, Origin: info.Origin, TaxBasis: s.TaxBasis}
	moment := domain.Moment{Book: info.Book, Recorded: info.Created, Principal: s.Owner}
	if _, err := rules.Decide(nothing{}, moment, open); err != nil {
		return Info{}, err
	}
	if err := makeEmpty(dir); err != nil {
		return Info{}, err
	}
	if err := s.lay(ctx, dir, &info); err != nil {
		return Info{}, err
	}
	opened, err := hold(ctx, dir, info, Options{
		Root: s.Root, RingOptions: s.RingOptions, Clock: s.Clock, Log: s.Log,
	})
	if err != nil {
		return Info{}, err
	}
	_, err = opened.ledger.Do(ctx, ledger.Envelope{ID: uuid.Must(uuid.NewV7()), Principal: s.Owner, Command: open})
	if err := errors.Join(err, opened.close(ctx)); err != nil {
		return Info{}, err
	}
	info = opened.info
	// The book exists from here on.
	return info, writeInfo(dir, info)
}

// lay makes the ring, the remembered head and the empty log.
func (s Settings) lay(ctx context.Context, dir string, info *Info) (err error) {
	ring, err := keyring.Create(filepath.Join(dir, "ring"), s.Root, s.RingOptions...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ring.Close()) }()
	for _, first := range []struct {
		name string
		kind keyring.Kind
	}{
		{factsKey, keyring.Facts},
		{signingKey, keyring.Signing},
		{digestKey, keyring.Digest},
		{transportKey, keyring.Transport},
		{stateKey, keyring.State},
	} {
		id, err := ring.New(first.kind)
		if err != nil {
			return err
		}
		if err := ring.SetNamed(first.name, id); err != nil {
			return err
		}
	}
	seed, err := named(ring, signingKey)
	if err != nil {
		return err
	}
	defer clear(seed)
	if info.Key, err = verifierKey(info.Origin, ed25519.NewKeyFromSeed(seed)); err != nil {
		return err
	}
	remembered, err := head.Create(filepath.Join(dir, "head"), head.Head{Epoch: info.Epoch, Head: page.EmptyHead()})
	if err != nil {
		return err
	}
	if err := remembered.Close(); err != nil {
		return err
	}
	server, err := jetstream.Start(jetstream.Config{Dir: filepath.Join(dir, "store"), Book: info.Book, Log: s.Log})
	if err != nil {
		return err
	}
	return errors.Join(jetstream.Create(ctx, server, info.Book, 1), server.Shutdown())
}

// named gives the key that the ring knows by a name.
func named(ring *keyring.Ring, name string) ([]byte, error) {
	id, err := ring.Named(name)
	if err != nil {
		return nil, err
	}
	return ring.Key(id)
}

func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, "book.json")); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s holds a book", ErrExists, dir)
		}
		return fmt.Errorf("%w: %s", ErrExists, dir)
	}
	return nil
}

// nothing is the state of a book before its first commit.
type nothing struct{}

func (nothing) State(domain.StreamID) (domain.State, error) { return nil, nil }

func (nothing) Find(domain.Reference) (domain.StreamID, bool, error) {
	return domain.StreamID{}, false, nil
}
