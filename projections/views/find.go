package views

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/projections"
)

// ExternalPrefix begins a name that is an external reference: ext:…
const ExternalPrefix = "ext:"

// minPrefix is how many digits of an id name anything at all.
const minPrefix = 4

// candidates is how many an Ambiguous tells.
const candidates = 8

// Candidate is what a name may mean.
type Candidate struct {
	Kind domain.Kind `json:"kind"`
	ID   uuid.UUID   `json:"id"`
	// Label is a document's number, or its customer's name while it has none;
	// or a customer's name.
	Label string `json:"label,omitempty"`
}

// Ambiguous is the error for a name that may mean several. It wraps a Fault with
// the code ambiguous.
type Ambiguous struct {
	Name string
	// Candidates are up to eight of them.
	Candidates []Candidate
}

func (e *Ambiguous) Error() string { return e.Unwrap().Error() }

// Unwrap gives the fault.
func (e *Ambiguous) Unwrap() error {
	var names []string
	for _, c := range e.Candidates {
		names = append(names, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Kind, c.ID, c.Label)))
	}
	return fault("ambiguous", "%.80q can mean several: %s", "give more of the id", e.Name, strings.Join(names, ", "))
}

func unknownDocument(name string) *projections.Fault {
	return fault("unknown-document", "there is no document %.80q", "name it by its number, the beginning of its id, or ext: and its external reference", name)
}

func unknownCustomer(name string) *projections.Fault {
	return fault("unknown-customer", "there is no customer %.80q", "name it by its name, the beginning of its id, or ext: and its external reference", name)
}

// FindDocument finds the document that a person names: by our number, by ext:
// and its external reference, or by at least four digits that only its id begins
// with. A kind, if not empty, leaves only documents of that kind; payments are
// documents here. *Ambiguous; faults unknown-document, unknown-payment.
func (q *Queries) FindDocument(ctx context.Context, name string, kind domain.Kind) (s Summary, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		found, err := lookUpDocument(ctx, tx, name, kind)
		if err != nil {
			return err
		}
		switch len(found) {
		case 0:
			if kind == domain.KindPayment {
				return unknownPayment(name)
			}
			return unknownDocument(name)
		case 1:
			s, err = found[0].summary("")
			return err
		}
		ambiguous := &Ambiguous{Name: name}
		for _, d := range found {
			label := d.number
			if label == "" {
				label = d.name
			}
			ambiguous.Candidates = append(ambiguous.Candidates, Candidate{d.stream.Kind, d.stream.ID, label})
		}
		return ambiguous
	})
	if err != nil {
		return Summary{}, fmt.Errorf("views: find document: %w", err)
	}
	return s, nil
}

func lookUpDocument(ctx context.Context, tx Tx, name string, kind domain.Kind) (found []document, err error) {
	read := func(w where) error {
		query := `SELECT ` + documentColumns + ` FROM documents` + w.String() + w.limit(candidates)
		return load(ctx, tx, query, w.args, func(r scanner) error {
			var d document
			err := d.scan(r)
			found = append(found, d)
			return err
		})
	}
	if reference, external := strings.CutPrefix(name, ExternalPrefix); external {
		var w where
		w.add("reference = ? AND reference <> ''", reference)
		w.text(loose("kind")+" = ?", string(kind))
		return found, read(w)
	}
	if name != "" {
		for _, s := range (Filter{Kind: kind}).shelves() {
			if s.status == invoice.StatusDraft || s.status == invoice.StatusApproved || s.status == invoice.StatusDiscarded {
				continue // without a number
			}
			var w where
			w.add("kind = ? AND status = ? AND number = ?", string(s.kind), string(s.status), name)
			if err := read(w); err != nil || len(found) > 0 {
				return found, err
			}
		}
	}
	if first, last, ok := idRange(name); ok {
		var w where
		w.add("id >= ? AND id <= ?", first[:], last[:])
		w.text(loose("kind")+" = ?", string(kind))
		return found, read(w)
	}
	return nil, nil
}

// idRange gives the first and last id that begin with the digits of a text.
func idRange(text string) (first, last uuid.UUID, ok bool) {
	digits := strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(digits) < minPrefix || len(digits) > 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return first, last, false
	}
	fill := func(digit string) uuid.UUID {
		id, _ := uuid.Parse(digits + strings.Repeat(digit, 32-len(digits)))
		return id
	}
	first, last = fill("0"), fill("f")
	return first, last, bytes.Compare(first[:], last[:]) <= 0
}

// FindCustomer finds the customer that a person names: by ext: and its external
// reference, by its whole name whatever its case, or by at least four digits
// that only its id begins with. *Ambiguous; fault unknown-customer.
func (q *Queries) FindCustomer(ctx context.Context, name string) (c Customer, err error) {
	err = q.reader.Read(ctx, func(tx Tx) error {
		found, err := lookUpCustomer(ctx, tx, name)
		if err != nil {
			return err
		}
		switch len(found) {
		case 0:
			return unknownCustomer(name)
		case 1:
			list := []Customer{found[0].customer()}
			err = readBalances(ctx, tx, list)
			c = list[0]
			return err
		}
		ambiguous := &Ambiguous{Name: name}
		for _, p := range found {
			ambiguous.Candidates = append(ambiguous.Candidates, Candidate{domain.KindCustomer, p.id, p.name()})
		}
		return ambiguous
	})
	if err != nil {
		return Customer{}, fmt.Errorf("views: find customer: %w", err)
	}
	return c, nil
}

func lookUpCustomer(ctx context.Context, tx Tx, name string) (found []person, err error) {
	read := func(condition string, args ...any) error {
		var w where
		w.add(condition, args...)
		query := `SELECT ` + personColumns + ` FROM customers` + w.String() + w.limit(candidates)
		return load(ctx, tx, query, w.args, func(r scanner) error {
			var p person
			err := p.scan(r)
			found = append(found, p)
			return err
		})
	}
	if reference, external := strings.CutPrefix(name, ExternalPrefix); external {
		return found, read("reference = ? AND reference <> ''", reference)
	}
	if name == "" {
		return nil, nil
	}
	if err := read("name_key = ?", fold(name)); err != nil || len(found) > 0 {
		return found, err
	}
	if first, last, ok := idRange(name); ok {
		return found, read("id >= ? AND id <= ?", first[:], last[:])
	}
	return nil, nil
}
