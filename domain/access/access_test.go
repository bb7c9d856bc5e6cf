package access_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/codec"
)

// TestMatrix says again, in its own words, who may do what.
func TestMatrix(t *testing.T) {
	may := map[access.Role][]string{
		access.Bookkeeper: {
			"book.attest", "book.record-drill", "credit.issue", "customer.change", "customer.register", "invoice.approve", "invoice.discard",
			"invoice.draft", "invoice.edit", "invoice.enter", "invoice.issue", "invoice.relieve", "invoice.write-off",
			"payment.allocate", "payment.receive", "payment.refund", "payment.reverse", "payment.unallocate",
			"period.close", "period.settle", "series.configure",
		},
		access.Clerk:    {"customer.change", "customer.register", "invoice.discard", "invoice.draft", "invoice.edit"},
		access.Approver: {"invoice.approve", "invoice.discard", "invoice.issue"},
		access.Importer: {"credit.issue", "customer.change", "customer.register", "invoice.enter", "payment.receive"},
		access.Auditor:  nil,
		access.Owner:    codec.CommandTypes(),
	}
	for _, role := range access.Roles() {
		for _, command := range codec.CommandTypes() {
			want := slices.Contains(may[role], command)
			if got := access.Allow(role, command); got != want {
				t.Errorf("Allow(%s, %s) = %t", role, command, got)
			}
		}
	}
}

func TestAllowUnknown(t *testing.T) {
	if access.Allow(access.Owner, "book.burn") {
		t.Error("a command that nobody knows is permitted")
	}
	if access.Allow("", "invoice.draft") || access.Allow("king", "invoice.draft") {
		t.Error("a role that nobody knows is permitted something")
	}
}

func TestCheck(t *testing.T) {
	roles := map[string]access.Role{"ann": access.Auditor, "bob": access.Clerk}
	for _, c := range []struct{ principal, command, code string }{
		{"bob", "invoice.draft", ""},
		{"bob", "invoice.approve", "not-permitted"},
		{"ann", "invoice.draft", "not-permitted"},
		{"eve", "invoice.draft", "unknown-principal"},
		{"", "invoice.draft", "unknown-principal"},
	} {
		err := access.Check(roles, c.principal, c.command)
		if got := code(err); got != c.code {
			t.Errorf("Check(%q, %s) = %v, want code %q", c.principal, c.command, err, c.code)
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, role := range access.Roles() {
		if got, err := access.ParseRole(string(role)); got != role || err != nil {
			t.Errorf("ParseRole(%q) = %q, %v", role, got, err)
		}
	}
	for _, name := range []string{"", "Owner", "king"} {
		if _, err := access.ParseRole(name); code(err) != "unknown-role" {
			t.Errorf("ParseRole(%q): %v", name, err)
		}
	}
}

func code(err error) string {
	refusal := (*domain.Refusal)(nil)
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}
