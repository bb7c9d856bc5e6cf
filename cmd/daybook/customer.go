package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/projections/views"
)

func (a *app) customerCommand() *cobra.Command {
	return a.group("customer", "Keep customers",
		a.customerAdd(), a.customerEdit(), a.customerShow(), a.customerList(), a.customerExport(), a.customerErase())
}

// customerFlags describe a customer.
type customerFlags struct {
	name, city, postcode, country, countryText, email, vatID, reference string
	address                                                             []string
}

func (f *customerFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "the customer's `NAME`")
	flags.StringVar(&f.country, "country", "", "the country, a `CODE` of ISO 3166 such as GB")
	flags.StringVar(&f.countryText, "country-text", "", "the country's `NAME`, where it has no code")
	flags.StringArrayVar(&f.address, "address", nil, "a `LINE` of the address; may be repeated")
	flags.StringVar(&f.city, "city", "", "the `CITY`")
	flags.StringVar(&f.postcode, "postcode", "", "the `POSTCODE`")
	flags.StringVar(&f.email, "email", "", "the email `ADDRESS`")
	flags.StringVar(&f.vatID, "vat-id", "", "the VAT `ID`")
	flags.StringVar(&f.reference, "reference", "", "the customer's `NAME` in another system: ext:NAME finds it")
}

// apply puts the flags that were given in place of what is known.
func (f *customerFlags) apply(cmd *cobra.Command, p *customer.Profile, country *string) {
	given := cmd.Flags().Changed
	for name, field := range map[string]struct {
		to   *string
		text string
	}{
		"name": {&p.Name, f.name}, "country": {country, f.country}, "country-text": {&p.CountryText, f.countryText},
		"city": {&p.City, f.city}, "postcode": {&p.Postcode, f.postcode}, "email": {&p.Email, f.email},
		"vat-id": {&p.VATID, f.vatID}, "reference": {&p.Reference, f.reference},
	} {
		if given(name) {
			*field.to = field.text
		}
	}
	if given("address") {
		p.Address = lines(f.address)
	}
}

// customerChanged is the answer of a command that changed a customer.
type customerChanged struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
	change
}

func (a *app) customerAdd() *cobra.Command {
	var f customerFlags
	cmd := changing(&cobra.Command{
		Use:     "add [NAME]",
		Short:   "Register a customer",
		Example: `  daybook customer add "Ada Lovelace" --country GB --city London --email ada@example.com --reference C-1001`,
		Args:    cobra.MaximumNArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cmd.Flags().Changed("name") {
					return usage("the name is given twice")
				}
				if err := cmd.Flags().Set("name", args[0]); err != nil {
					return err
				}
			}
			var p customer.Profile
			var country string
			f.apply(cmd, &p, &country)
			command, err := customer.NewRegister(s.newID(), country, p)
			if err != nil {
				return err
			}
			done, err := s.enter(ctx, command, nil)
			if err != nil {
				return err
			}
			return a.answer(customerChanged{command.ID, p.Name, done}, func(w io.Writer) {
				fmt.Fprintf(w, "Registered %s as customer %s (position %d).\n", oneLine(p.Name), short(command.ID), done.Position)
			})
		}),
	})
	f.add(cmd)
	return cmd
}

func (a *app) customerEdit() *cobra.Command {
	var f customerFlags
	cmd := changing(&cobra.Command{
		Use:   "edit CUSTOMER",
		Short: "Change what is known of a customer; documents issued before keep what they say",
		Example: `  daybook customer edit ext:C-1001 --email ada@example.org
  daybook customer edit "Ada Lovelace" --vat-id ""`,
		Args: cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, cmd *cobra.Command, args []string) error {
			known, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			revision, err := s.revision(ctx, customer.Stream(known.ID))
			if err != nil {
				return err
			}
			var p customer.Profile
			if known.Profile != nil {
				p = *known.Profile
			}
			country := known.Country
			f.apply(cmd, &p, &country)
			command, err := customer.NewChange(known.ID, country, p)
			if err != nil {
				return err
			}
			done, err := s.enter(ctx, command, &revision)
			if err != nil {
				return err
			}
			return a.answer(customerChanged{known.ID, p.Name, done}, func(w io.Writer) {
				fmt.Fprintf(w, "Changed the customer %s, %s (position %d).\n", short(known.ID), oneLine(p.Name), done.Position)
			})
		}),
	})
	f.add(cmd)
	return cmd
}

func (a *app) customerShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show CUSTOMER",
		Short: "Show a customer and what stands between you",
		Args:  cobra.ExactArgs(1),
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, args []string) error {
			c, err := s.customer(ctx, args[0])
			if err != nil {
				return err
			}
			return a.answer(struct {
				Customer views.Customer `json:"customer"`
			}{c}, func(w io.Writer) { tellCustomer(w, c) })
		}),
	}
}

func tellCustomer(w io.Writer, c views.Customer) {
	t := newTable("", "")
	t.add("Customer", c.ID.String())
	if c.Erased {
		t.add("Name", "(erased)")
	}
	if p := c.Profile; p != nil {
		for _, row := range [][2]string{
			{"Name", p.Name},
			{"Address", strings.Join(p.Address, ", ")},
			{"", strings.TrimSpace(p.Postcode + " " + p.City)},
			{"Country", strings.TrimSpace(c.Country + " " + p.CountryText)},
			{"Email", p.Email},
			{"VAT id", p.VATID},
			{"Reference", p.Reference},
		} {
			if row[1] != "" {
				t.add(row[0], row[1])
			}
		}
	}
	for _, b := range c.Balances {
		t.add("Owes", b.Receivable+" "+b.Currency)
		t.add("Has in credit", b.Credit+" "+b.Currency)
	}
	t.write(w)
}

func (a *app) customerList() *cobra.Command {
	var f views.CustomerFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List customers with what they owe",
		Args:  cobra.NoArgs,
		RunE: a.withBook(func(ctx context.Context, s *session, _ *cobra.Command, _ []string) error {
			v, err := s.views(ctx)
			if err != nil {
				return err
			}
			page, err := v.Customers(ctx, f)
			if err != nil {
				return err
			}
			return a.answer(struct {
				Customers []views.Customer `json:"customers"`
				Next      string           `json:"next"`
			}{page.Customers, page.Next}, func(w io.Writer) { tellCustomers(w, page) })
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Search, "search", "", "a `TEXT`: part of a name or reference")
	flags.StringVar(&f.Sort, "sort", "", "`ORDER`: name or registered, with a leading hyphen for descending (default -registered)")
	flags.IntVar(&f.Limit, "limit", views.DefaultLimit, "how `MANY` at most, up to 1000")
	flags.StringVar(&f.After, "after", "", "go on after the page whose \"next\" this `TOKEN` was")
	return cmd
}

func tellCustomers(w io.Writer, page views.CustomerPage) {
	t := newTable("CUSTOMER", "NAME", "COUNTRY", "REFERENCE", ">OWES", ">CREDIT", "")
	for _, c := range page.Customers {
		name := c.Name
		if c.Erased {
			name = "(erased)"
		}
		row := []string{short(c.ID), name, c.Country, c.Reference}
		if len(c.Balances) > 0 {
			b := c.Balances[0]
			row = append(row, b.Receivable, b.Credit, b.Currency)
		}
		t.add(row...)
	}
	t.write(w)
	tellNext(w, page.Next)
}

// tellNext says how a list goes on.
func tellNext(w io.Writer, next string) {
	if next != "" {
		fmt.Fprintf(w, "\nThere is more: --after %s\n", next)
	}
}

// customer finds the customer that a person names, as it is named now.
func (s *session) customer(ctx context.Context, name string) (views.Customer, error) {
	v, err := s.now(ctx)
	if err != nil {
		return views.Customer{}, err
	}
	return v.FindCustomer(ctx, name)
}

// revision is how many events a stream has.
func (s *session) revision(ctx context.Context, stream domain.StreamID) (uint64, error) {
	v, err := s.views(ctx)
	if err != nil {
		return 0, err
	}
	events, err := v.Activity(ctx, stream)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	return events[len(events)-1].Revision, nil
}
