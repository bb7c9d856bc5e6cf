package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain/access"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) bookCommand() *cobra.Command {
	return a.group("book", "Show the book's settings, and change the business that sells", a.bookShow(), a.bookEdit(), a.bookRetention())
}

// bookChanged is the answer of a command that changed the book's settings.
type bookChanged struct {
	Book uuid.UUID `json:"book"`
	change
}

func (s *session) settings(ctx context.Context) (views.Book, error) {
	v, err := s.views(ctx)
	if err != nil {
		return views.Book{}, err
	}
	return v.Book(ctx)
}

func (a *app) bookShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the book's settings",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			b, err := s.settings(ctx)
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"book": b}, func(w io.Writer) {
				t := newTable("", "")
				t.add("Book", b.ID.String())
				t.add("Seller", b.Seller.Name)
				for _, row := range [][2]string{
					{"Address", strings.Join(b.Seller.Address, ", ")},
					{"", strings.TrimSpace(b.Seller.Postcode + " " + b.Seller.City)},
					{"Country", b.Seller.Country},
					{"VAT id", b.Seller.VATID},
					{"Email", b.Seller.Email},
				} {
					if row[1] != "" {
						t.add(row[0], row[1])
					}
				}
				t.add("Currency", b.Currency)
				t.add("Tax by", taxedBy(b.TaxBasis))
				t.write(w)
			})
		}),
	}
}

func (a *app) bookEdit() *cobra.Command {
	var f sellerFlags
	cmd := changing(&cobra.Command{
		Use:     "edit",
		Short:   "Change the business that sells; documents issued before keep what they say",
		Example: `  daybook book edit --vat-id GB123456789`,
		Args:    cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, _ []string) error {
			b, err := s.settings(ctx)
			if err != nil {
				return err
			}
			revision, err := s.revision(ctx, book.Stream(b.ID))
			if err != nil {
				return err
			}
			seller := b.Seller
			f.apply(cmd, &seller)
			done, err := s.enter(ctx, &book.ChangeSeller{Book: b.ID, Seller: seller}, &revision)
			if err != nil {
				return err
			}
			return a.answer(bookChanged{b.ID, done}, func(w io.Writer) {
				fmt.Fprintf(w, "Changed the seller, %s (position %d).\n", oneLine(seller.Name), done.Position)
			})
		}),
	})
	f.add(cmd)
	return cmd
}

func (a *app) accessCommand() *cobra.Command {
	return a.group("access", "Say who may do what", a.accessGrant(), a.accessRevoke(), a.accessList())
}

// roleChanged is the answer of a command that changed a role.
type roleChanged struct {
	Principal string      `json:"principal"`
	Role      access.Role `json:"role"`
	change
}

func (a *app) accessGrant() *cobra.Command {
	var roles []string
	for _, r := range access.Roles() {
		roles = append(roles, string(r))
	}
	return changing(&cobra.Command{
		Use:   "grant PRINCIPAL ROLE",
		Short: "Give a principal a role, in place of any it has",
		Long:  "Give a principal a role, in place of any it has. The roles are " + strings.Join(roles, ", ") + ".",
		Args:  cobra.ExactArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return roles, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			role, err := access.ParseRole(args[1])
			if err != nil {
				return err
			}
			done, err := s.enter(ctx, &book.Grant{Book: s.book.Info.Book, Principal: args[0], Role: role}, nil)
			if err != nil {
				return err
			}
			return a.answer(roleChanged{args[0], role, done}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is %s of this book (position %d).\n", oneLine(args[0]), role, done.Position)
			})
		}),
	})
}

func (a *app) accessRevoke() *cobra.Command {
	return changing(&cobra.Command{
		Use:   "revoke PRINCIPAL",
		Short: "Take a principal's role away",
		Args:  cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			done, err := s.enter(ctx, &book.Revoke{Book: s.book.Info.Book, Principal: args[0]}, nil)
			if err != nil {
				return err
			}
			return a.answer(roleChanged{args[0], "", done}, func(w io.Writer) {
				fmt.Fprintf(w, "%s has no role in this book any more (position %d).\n", oneLine(args[0]), done.Position)
			})
		}),
	})
}

func (a *app) accessList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List who has which role",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			b, err := s.settings(ctx)
			if err != nil {
				return err
			}
			return a.answer(map[string]any{"roles": b.Roles}, func(w io.Writer) {
				t := newTable("PRINCIPAL", "ROLE", "SINCE")
				for _, r := range b.Roles {
					t.add(r.Principal, string(r.Role), r.Granted.Local().Format("2006-01-02"))
				}
				t.write(w)
			})
		}),
	}
}
