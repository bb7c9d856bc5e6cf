package views

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/account"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/domain/credit"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/exchange"
	"github.com/daybook-ledger/daybook/domain/funds"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/domain/money"
	"github.com/daybook-ledger/daybook/domain/payment"
	"github.com/daybook-ledger/daybook/domain/period"
	"github.com/daybook-ledger/daybook/domain/series"
	"github.com/daybook-ledger/daybook/ledger/commit"
)

// place is where an event stands.
type place struct {
	commit *commit.Commit
	index  int // in the commit
	event  *commit.Event
}

// maxEvents is how many events a commit may have, so that keys of documents are
// unique.
const maxEvents = 1 << 16

func (p place) key() int64 { return int64(p.commit.Position)<<16 | int64(p.index) }

// section is the digest of the sealed section that holds the personal data of the
// event's subject, empty where the commit has none. It is the same after the
// subject's key was destroyed.
func (p place) section() []byte {
	if personal, is := p.event.Event.(domain.Personal); is {
		if digest, found := p.commit.Sections[personal.Subject()]; found {
			return digest[:]
		}
	}
	return []byte{}
}

func (p place) recorded() int64 { return p.commit.Recorded.UnixMicro() }

// fold adds a commit of a page.
func (b *batch) fold(c *commit.Commit, page uint64) error {
	if len(c.Events) > maxEvents || c.Position >= 1<<47 {
		return fmt.Errorf("commit %d: %d events: beyond what views can number", c.Position, len(c.Events))
	}
	later, err := b.later(c)
	if err != nil {
		return err
	}
	var entries int64
	for i := range c.Events {
		p := place{c, i, &c.Events[i]}
		if later && !undated(p.event.Stream.Kind) {
			continue
		}
		if err := b.foldEvent(p); err != nil {
			return fmt.Errorf("commit %d: %s of %s: %w", c.Position, p.event.Event.EventType(), p.event.Stream, err)
		}
		posted, err := account.Post(p.event.Event, p.event.Stream)
		if err != nil {
			return fmt.Errorf("commit %d: %w", c.Position, err)
		}
		for _, entry := range posted {
			if b.effective != "" && entry.Date > b.effective {
				continue
			}
			if err := b.post(p, entries, entry); err != nil {
				return fmt.Errorf("commit %d: post %s: %w", c.Position, entry.Document, err)
			}
			entries++
		}
		b.act(p, page)
		b.events++
	}
	return nil
}

// act records that something happened to a stream. Drawn numbers are left out:
// they stand on the documents.
func (b *batch) act(p place, page uint64) {
	if _, drawn := p.event.Event.(*series.Drawn); drawn {
		return
	}
	b.activity = append(b.activity, string(p.event.Stream.Kind), p.event.Stream.ID[:], int64(p.event.Revision),
		int64(p.commit.Position), int64(page), int64(p.index), p.event.Event.EventType(), p.recorded(), p.commit.Principal)
}

func (b *batch) foldEvent(p place) error {
	switch e := p.event.Event.(type) {
	case *book.Opened, *book.SellerChanged, *book.EpochOpened, *book.Drilled, *book.Attested, *book.Granted, *book.Revoked, *book.RetentionSet:
		return b.foldBook(p)
	case *series.Configured, *series.Drawn:
		return b.foldSeries(p)
	case *period.Closed, *period.Settled, *period.Reopened:
		return b.foldPeriod(p)
	case *customer.Registered:
		return b.foldProfile(p, e.Country, e.Personal)
	case *customer.Changed:
		return b.foldProfile(p, e.Country, e.Personal)
	case *customer.KeyDestroyed:
		return b.foldErasure(p, e)
	case *customer.CreditMoved, *payment.ClaimPaid, *payment.ClaimReopened:
		return nil // posted by the event of the funds
	case *payment.Received:
		return b.foldPayment(p, e)
	case *payment.Reversed:
		return b.foldReversal(p, e)
	case *funds.Allocated, *funds.Released, *funds.Refunded, *funds.Drawn:
		return b.foldFunds(p)
	case *customer.Credited, *invoice.Approved, *invoice.Discarded, *invoice.Credited,
		*invoice.Allocated, *invoice.Unallocated, *invoice.WrittenOff, *invoice.Relieved, *invoice.Recovered,
		*invoice.Deducted, *invoice.DeductionReturned:
		return b.foldStep(p)
	case *invoice.Drafted:
		return b.foldDraft(p, &e.Content, e.Totals.Net, e.Totals.Tax, e.Totals.Gross, e.Totals.Due)
	case *invoice.Edited:
		return b.foldDraft(p, &e.Content, e.Totals.Net, e.Totals.Tax, e.Totals.Gross, e.Totals.Due)
	case *invoice.Issued:
		return b.foldInvoice(p, e)
	case *credit.Issued:
		return b.foldCredit(p, e)
	default:
		return fmt.Errorf("an event that no view knows")
	}
}

// foldBook keeps settings and roles; they are few and change rarely, so their
// rows are written at once.
func (b *batch) foldBook(p place) error {
	switch e := p.event.Event.(type) {
	case *book.Opened:
		seller, err := json.Marshal(e.Seller)
		if err != nil {
			return err
		}
		if err := b.w.Put(b.ctx, booksTable, []any{
			p.event.Stream.ID[:], e.Currency.String(), e.Origin, string(seller), p.recorded(), string(e.TaxBasis),
		}, false); err != nil {
			return err
		}
		return b.w.Put(b.ctx, rolesTable, []any{e.Owner, "owner", p.recorded()}, true)
	case *book.SellerChanged:
		seller, err := json.Marshal(e.Seller)
		if err != nil {
			return err
		}
		return b.exec(`UPDATE books SET seller = $1 WHERE id = $2`, string(seller), p.event.Stream.ID[:])
	case *book.EpochOpened:
		return b.exec(`UPDATE books SET origin = $1 WHERE id = $2`, e.Origin, p.event.Stream.ID[:])
	case *book.Granted:
		return b.w.Put(b.ctx, rolesTable, []any{e.Principal, string(e.Role), p.recorded()}, true)
	case *book.Revoked:
		return b.exec(`DELETE FROM roles WHERE principal = $1`, e.Principal)
	}
	return nil
}

func (b *batch) exec(query string, args ...any) error {
	return b.w.ExecContext(b.ctx, query, args...)
}

// foldProfile keeps what is known of a customer. Drafts and payments bear the
// customer's current name; what was issued keeps its own.
func (b *batch) foldProfile(p place, country string, profile *customer.Profile) error {
	id := p.event.Stream.ID
	if p.event.Revision == 1 {
		b.people[id] = &person{id: id, seq: p.key(), country: country, profile: profile, registered: p.recorded(), section: p.section()}
		b.settled[id] = true
		return nil
	}
	row, err := b.person(id)
	if err != nil {
		return err
	}
	before := row.name()
	row.country, row.profile, row.section, row.changed = country, profile, p.section(), true
	if row.name() == before {
		return nil
	}
	for kind, stages := range renamed {
		if err := b.rename(kind, stages, id, row.name()); err != nil {
			return err
		}
	}
	return nil
}

// renamed are the two stages of each kind in which a document bears its
// customer's current name.
var renamed = map[domain.Kind][2]invoice.Status{
	domain.KindInvoice: {invoice.StatusDraft, invoice.StatusApproved},
	domain.KindPayment: {invoice.Status(payment.StatusReceived), invoice.Status(payment.StatusReversed)},
}

func (b *batch) rename(kind domain.Kind, stages [2]invoice.Status, id uuid.UUID, name string) error {
	err := load(b.ctx, b.w, `SELECT `+documentColumns+` FROM documents WHERE customer = $1 AND kind = $2 AND status IN ($3, $4)`,
		[]any{id[:], string(kind), string(stages[0]), string(stages[1])}, func(r scanner) error {
			d := &document{}
			if err := d.scan(r); err != nil {
				return err
			}
			if b.documents[d.stream] == nil {
				b.documents[d.stream] = d
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, d := range b.documents {
		if d.customer == id && d.stream.Kind == kind && (d.stage == stages[0] || d.stage == stages[1]) {
			d.name, d.changed = name, true
		}
	}
	return nil
}

// post adds an entry to the journal, to the sums of its accounts and taxes, and
// to the balances that follow from it.
func (b *batch) post(p place, number int64, entry account.Entry) error {
	d, err := b.posted(p, entry)
	if err != nil {
		return err
	}
	position := int64(p.commit.Position)
	b.entries = append(b.entries, position, number, string(entry.Date), d.seq, int64(p.index), p.event.Event.EventType())
	for line, posting := range entry.Postings {
		var category, percent, point string
		var taxable worth
		if posting.Tax != nil {
			category, percent = string(posting.Tax.Rate.Category), posting.Tax.Rate.Percent.String()
			taxable = worthOf(posting.Tax.Taxable, posting.Tax.Base)
			point = string(entry.TaxPoint(posting.Tax))
		}
		currency := posting.Amount.Currency().String()
		if currency == "" {
			currency = d.currency
		}
		item, due, err := b.item(d, posting)
		if err != nil {
			return err
		}
		b.postings = append(b.postings, position, number, int64(line), string(entry.Date),
			string(posting.Account), currency, posting.Amount.Minor(), category, percent, taxable.amount,
			entry.Customer[:], item, string(due), posting.Base.Minor(), taxable.base, point)
		if err := b.sum(entry, posting, currency); err != nil {
			return err
		}
	}
	return b.sell(p, number, entry)
}

// item gives the document whose open amount a posting changes, or whose funds:
// those of customer credit are the entry's own. It is 0 on other accounts.
func (b *batch) item(d *document, posting account.Posting) (item int64, due domain.Date, err error) {
	switch posting.Account {
	case account.Receivables:
		open, err := b.document(posting.Item)
		if err != nil {
			return 0, "", err
		}
		return open.seq, open.due, nil
	case account.CustomerCredit:
		return d.seq, "", nil
	default:
		return 0, "", nil
	}
}

// sell adds what of an entry's revenue is which item's.
func (b *batch) sell(p place, number int64, entry account.Entry) error {
	sales, err := account.Sales(p.event.Event, entry)
	if err != nil {
		return err
	}
	for part, sale := range sales {
		b.sales = append(b.sales, string(entry.Date), int64(p.commit.Position), number, int64(part),
			entry.Customer[:], string(sale.Sold), sale.Item, sale.Amount.Currency().String(),
			sale.Amount.Minor(), sale.Base.Minor())
	}
	return nil
}

func worthIn(w exchange.Worth) worth { return worthOf(w.Amount, w.Base) }

func worthOf(amount, base money.Amount) worth { return worth{amount.Minor(), base.Minor()} }

func (b *batch) sum(entry account.Entry, posting account.Posting, currency string) error {
	for _, date := range []domain.Date{entry.Date, ""} {
		row, err := b.accountSums(date, string(posting.Account), currency)
		if err != nil {
			return err
		}
		if err := row.add(worthOf(posting.Amount, posting.Base)); err != nil {
			return err
		}
	}
	switch posting.Account {
	case account.TaxPayable:
		return b.sumTax(entry, posting, currency)
	case account.Receivables, account.CustomerCredit:
		return b.sumCustomer(entry, posting, currency)
	default:
		return nil
	}
}

func (b *batch) sumTax(entry account.Entry, posting account.Posting, currency string) error {
	if posting.Tax == nil {
		return nil
	}
	rate := posting.Tax.Rate
	row, err := b.tax(taxKey{entry.TaxPoint(posting.Tax).Month(), currency, string(rate.Category), rate.Percent.String()})
	if err != nil {
		return err
	}
	return row.add(taxSums{
		taxable: worthOf(posting.Tax.Taxable, posting.Tax.Base),
		tax:     worthOf(posting.Amount, posting.Base).negated(),
	})
}

func (b *batch) sumCustomer(entry account.Entry, posting account.Posting, currency string) error {
	row, err := b.balance(entry.Customer, currency)
	if err != nil {
		return err
	}
	moved := worthOf(posting.Amount, posting.Base)
	if err := row.post(posting.Account, moved); err != nil || posting.Account == account.CustomerCredit {
		return err
	}
	d, err := b.document(posting.Item)
	if err != nil {
		return err
	}
	d.changed = true
	open := worth{d.open, d.openBase}
	if err := open.add(moved); err != nil {
		return err
	}
	d.open, d.openBase = open.amount, open.base
	return b.sumDue(entry.Date, d.due, currency, moved)
}

// sumDue adds to what is open by its due date: now, and on each day.
func (b *batch) sumDue(date, due domain.Date, currency string, moved worth) error {
	row, err := b.openOn(due, currency)
	if err != nil {
		return err
	}
	if err := row.add(moved); err != nil {
		return err
	}
	for _, key := range []dueKey{{spanDay, string(date), currency, due}, {spanMonth, date.Month(), currency, due}} {
		row, err := b.dueIn(key)
		if err != nil {
			return err
		}
		if err := row.add(moved); err != nil {
			return err
		}
	}
	return nil
}

// add adds a posting to one side or the other, and its base likewise: of an
// exchange difference there is no amount, and the base stands alone.
func (s *sums) add(posted worth) (err error) {
	if posted.amount < 0 {
		s.credit.amount, err = add(s.credit.amount, -posted.amount)
	} else {
		s.debit.amount, err = add(s.debit.amount, posted.amount)
	}
	if err != nil {
		return err
	}
	if posted.base < 0 {
		s.credit.base, err = add(s.credit.base, -posted.base)
	} else {
		s.debit.base, err = add(s.debit.base, posted.base)
	}
	return err
}

// add adds minor units. Sums of a whole book are bounded as amounts are.
func add(a, b int64) (int64, error) {
	if sum := a + b; (sum > a) == (b > 0) {
		return sum, nil
	}
	return 0, fmt.Errorf("a sum: %w", money.ErrOverflow)
}
