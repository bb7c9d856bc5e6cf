// Package access says who may ask for what: each principal of a book has one
// role, and each role may give certain commands.
//
// Refusals:
//
//	unknown-principal  the principal has no role in this book
//	not-permitted      the principal's role does not include the command
//	unknown-role       no role has this name
package access

import (
	"slices"

	"github.com/daybook-ledger/daybook/domain"
)

// Role is what a principal may do in a book.
type Role string

// The roles.
const (
	// Owner may do everything, and alone may change the book and its roles, and
	// reopen what was closed.
	Owner Role = "owner"
	// Bookkeeper may do everything with customers, documents, payments and
	// series, and closes periods.
	Bookkeeper Role = "bookkeeper"
	// Clerk keeps customers and prepares drafts.
	Clerk Role = "clerk"
	// Approver approves, issues and discards what others drafted.
	Approver Role = "approver"
	// Importer brings documents and payments in from other systems.
	Importer Role = "importer"
	// Auditor reads everything and changes nothing.
	Auditor Role = "auditor"
)

// Roles lists all roles, the mightiest first.
func Roles() []Role {
	return []Role{Owner, Bookkeeper, Clerk, Approver, Importer, Auditor}
}

// ParseRole reads a role's name.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", domain.Refuse("unknown-role", "there is no role %.40q", name).
		WithHint("the roles are owner, bookkeeper, clerk, approver, importer and auditor")
}

// permits lists for each command the roles below Owner that may give it. A
// command that is not listed here is permitted to nobody, not even an owner.
var permits = map[string][]Role{
	"book.open":          nil,
	"book.change-seller": nil,
	"book.grant":         nil,
	"book.revoke":        nil,
	"book.set-retention": nil,
	"book.open-epoch":    nil,
	"book.record-drill":  {Bookkeeper},
	"book.attest":        {Bookkeeper},
	"customer.erase":     nil,
	"series.configure":   {Bookkeeper},
	"customer.register":  {Bookkeeper, Clerk, Importer},
	"customer.change":    {Bookkeeper, Clerk, Importer},
	"invoice.draft":      {Bookkeeper, Clerk},
	"invoice.edit":       {Bookkeeper, Clerk},
	"invoice.discard":    {Bookkeeper, Clerk, Approver},
	"invoice.approve":    {Bookkeeper, Approver},
	"invoice.issue":      {Bookkeeper, Approver},
	"invoice.enter":      {Bookkeeper, Importer},
	"invoice.write-off":  {Bookkeeper},
	"invoice.relieve":    {Bookkeeper},
	"credit.issue":       {Bookkeeper, Importer},
	"payment.receive":    {Bookkeeper, Importer},
	"payment.allocate":   {Bookkeeper},
	"payment.unallocate": {Bookkeeper},
	"payment.refund":     {Bookkeeper},
	"payment.reverse":    {Bookkeeper},
	"period.close":       {Bookkeeper},
	"period.settle":      {Bookkeeper},
	"period.reopen":      nil,
}

// Allow reports whether a role may give commands of a type.
func Allow(role Role, commandType string) bool {
	roles, known := permits[commandType]
	if !known {
		return false
	}
	return role == Owner || slices.Contains(roles, role)
}

// Check refuses a command that its principal may not give. Roles are those of
// the book, by principal.
func Check(roles map[string]Role, principal, commandType string) error {
	role, known := roles[principal]
	if !known {
		return domain.Refuse("unknown-principal", "%.80q has no role in this book", principal).
			WithHint("an owner of the book can grant one")
	}
	if !Allow(role, commandType) {
		return domain.Refuse("not-permitted", "%.80q is %s of this book, which does not permit %s",
			principal, role, commandType).WithHint("ask an owner of the book")
	}
	return nil
}
