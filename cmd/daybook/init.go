package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/tax"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/projections/postgres"
)

// sellerFlags describe the business.
type sellerFlags struct {
	name, city, postcode, country, vatID, email string
	address                                     []string
}

func (f *sellerFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "the business's `NAME`, as it stands on its invoices")
	flags.StringVar(&f.country, "country", "", "its country, a `CODE` of ISO 3166 such as GB")
	flags.StringArrayVar(&f.address, "address", nil, "a `LINE` of its address; may be repeated")
	flags.StringVar(&f.city, "city", "", "its `CITY`")
	flags.StringVar(&f.postcode, "postcode", "", "its `POSTCODE`")
	flags.StringVar(&f.vatID, "vat-id", "", "its VAT `ID`; tax cannot be charged without")
	flags.StringVar(&f.email, "email", "", "its email `ADDRESS`")
}

// apply puts the flags that were given in place of what a seller has.
func (f *sellerFlags) apply(cmd *cobra.Command, s *book.Seller) {
	given := cmd.Flags().Changed
	for name, field := range map[string]struct {
		to   *string
		text string
	}{
		"name": {&s.Name, f.name}, "country": {&s.Country, f.country}, "city": {&s.City, f.city},
		"postcode": {&s.Postcode, f.postcode}, "vat-id": {&s.VATID, f.vatID}, "email": {&s.Email, f.email},
	} {
		if given(name) {
			*field.to = field.text
		}
	}
	if given("address") {
		s.Address = lines(f.address)
	}
}

// lines leaves out empty lines: --address "" takes an address away.
func lines(given []string) []string {
	var kept []string
	for _, line := range given {
		if line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

func (a *app) initCommand() *cobra.Command {
	var seller sellerFlags
	var currency, owner, basis string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a book in a new folder",
		Long: `Make a book in a folder that is empty or not there yet: --dir, DAYBOOK_DIR, or
the current folder.

The book is locked by a passphrase, or by a key file: --key-file makes it if it
is not there, and the book remembers where it is. Whoever loses it loses the
book: keep a copy of it apart from the book's backups.`,
		Example: `  daybook init --dir books/acme --name "Acme Ltd" --currency GBP --country GB --vat-id GB123456789
  daybook init --dir books/acme --name "Acme Ltd" --currency GBP --country GB --key-file ~/.acme.key`,
		Args: cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			c, err := money.ParseCurrency(currency)
			if err != nil {
				return err
			}
			settings := bookdir.Settings{Currency: c, TaxBasis: tax.Basis(basis), Owner: owner, Clock: a.clock, Log: a.log}
			if owner == "" {
				settings.Owner = a.who()
			}
			seller.apply(cmd, &settings.Seller)
			return a.makeBook(cmd, settings)
		}),
	}
	seller.add(cmd)
	cmd.Flags().StringVar(&currency, "currency", "", "the book's currency, a `CODE` of ISO 4217 such as GBP")
	cmd.Flags().StringVar(&basis, "tax-basis", "", "what tax is reported by: `invoice`, the date of issue, or supply; it stays (default invoice)")
	complete(cmd, "tax-basis", tax.Bases())
	cmd.Flags().StringVar(&owner, "owner", "", "the `PRINCIPAL` who owns the book (else --principal)")
	for _, name := range []string{"name", "currency", "country"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// made is the answer of init.
type made struct {
	Book   uuid.UUID `json:"book"`
	Dir    string    `json:"dir"`
	Origin string    `json:"origin"`
	// Key is the log's public key: whoever has it can check what the book signs.
	Key     string `json:"key"`
	KeyFile string `json:"key_file,omitempty"`
}

func (a *app) makeBook(cmd *cobra.Command, s bookdir.Settings) error {
	a.compile()
	dir := a.setting(a.dir, "DAYBOOK_DIR")
	if dir == "" {
		dir = "."
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := s.Seller.Validate(); err != nil {
		return err
	}
	undo, err := a.newRoot(dir, &s)
	if err != nil {
		return err
	}
	<-a.compiled
	at, err := a.recordable(a.setting(a.viewsURL, "DAYBOOK_VIEWS"))
	if err != nil {
		return errors.Join(err, undo())
	}
	info, err := bookdir.Create(cmd.Context(), dir, s)
	if err == nil && at != "" {
		err = bookdir.RecordViews(dir, at)
	}
	if err != nil {
		return errors.Join(exists(err, dir), undo())
	}
	return a.answer(made{info.Book, dir, info.Origin, info.Key, info.KeyFile}, func(w io.Writer) {
		fmt.Fprintf(w, "Made the book of %s in %s.\n\n", printable(s.Seller.Name), dir)
		fmt.Fprintf(w, "Public key  %s\n", info.Key)
		if info.KeyFile != "" {
			fmt.Fprintf(w, "Key file    %s\n", info.KeyFile)
			fmt.Fprintf(w, "\nWithout the key file nobody can read the book. Keep a copy of it elsewhere.\n")
		} else {
			fmt.Fprintf(w, "\nWithout the passphrase nobody can read the book.\n")
		}
		if at != "" && at != bookdir.InFolder {
			fmt.Fprintf(w, "\nIts lists and reports are kept in %s.\n%s\n", postgres.Redacted(at), clearNote)
		}
	})
}

// exists tells a folder that holds a book from one that holds something else.
func exists(err error, dir string) error {
	if errors.Is(err, bookdir.ErrExists) && !isMissing(filepath.Join(dir, "book.json")) {
		return fail("book-exists", "give another folder; daybook status tells about the book that is there", "%s holds a book already", dir)
	}
	return err
}

// newRoot chooses what locks a new book. undo takes back what it made.
func (a *app) newRoot(dir string, s *bookdir.Settings) (undo func() error, err error) {
	undo = func() error { return nil }
	keyFile, passphraseFile := a.keyFile, a.passphraseFile
	if keyFile == "" && passphraseFile == "" {
		keyFile, passphraseFile = a.env("DAYBOOK_KEY_FILE"), a.env("DAYBOOK_PASSPHRASE_FILE")
		if passphraseFile != "" {
			keyFile = ""
		}
	}
	switch {
	case keyFile != "":
		if s.KeyFile, err = filepath.Abs(keyFile); err != nil {
			return undo, err
		}
		s.Root = keyring.KeyFile(s.KeyFile)
		if strings.HasPrefix(s.KeyFile, dir+string(filepath.Separator)) {
			return undo, usage("the key file must not lie in the book's own folder: whoever copied the folder could read the book")
		}
		return makeKeyFile(s.KeyFile)
	case passphraseFile != "":
		s.Root, err = a.passphraseFrom(passphraseFile)
		return undo, err
	}
	passphrase, err := a.askTwice()
	s.Root = keyring.Passphrase(passphrase)
	return undo, err
}

// makeKeyFile makes a key file of 32 random bytes where there is none.
func makeKeyFile(path string) (undo func() error, err error) {
	undo = func() error { return nil }
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return undo, nil
	}
	if err != nil {
		return undo, fmt.Errorf("make the key file: %w", err)
	}
	undo = func() error { return os.Remove(path) }
	key := make([]byte, keyring.KeySize)
	defer clear(key)
	if _, err = rand.Read(key); err == nil {
		_, err = file.Write(key)
	}
	err = errors.Join(err, file.Sync(), file.Close())
	if folder, opening := os.Open(filepath.Dir(path)); opening == nil { // its name is to last as well
		err = errors.Join(err, folder.Sync(), folder.Close())
	}
	if err != nil {
		return func() error { return nil }, errors.Join(fmt.Errorf("make the key file: %w", err), undo())
	}
	return undo, nil
}
