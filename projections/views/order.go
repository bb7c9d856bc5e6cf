package views

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// order is an order of rows. Rows that are alike in it go by their key.
type order struct {
	name       string
	descending bool
	// text and number are the expressions that rows are sorted by; the one that
	// does not count is a constant.
	text, number string
	sorted       bool // by no index
}

// orders are the orders of a list; the first, descending, is used where none is
// named.
type orders []order

var (
	documentOrders = orders{
		{name: "recorded", text: "''", number: "0"},
		{name: "number", text: "number", number: "0"},
		{name: "date", text: "date", number: "0"},
		{name: "due", text: "due", number: "0"},
		{name: "total", text: "''", number: "gross"},
		{name: "customer", text: "name_key", number: "0"},
	}
	customerOrders = orders{
		{name: "registered", text: "''", number: "0"},
		{name: "name", text: "name_key", number: "0"},
	}
)

func (all orders) parse(text string) (order, error) {
	if text == "" {
		text = "-" + all[0].name
	}
	name, descending := strings.CutPrefix(text, "-")
	at := slices.IndexFunc(all, func(o order) bool { return o.name == name })
	if at < 0 {
		names := make([]string, len(all))
		for i, o := range all {
			names[i] = o.name
		}
		return order{}, fault("invalid-sort", "%.40q is not an order of this list", "one of "+strings.Join(names, ", ")+", with a hyphen before it for descending", text)
	}
	o := all[at]
	o.descending = descending
	return o, nil
}

func (o order) columns() []string {
	seq := "seq"
	if o.sorted {
		seq = looseNumber(seq)
	}
	switch {
	case o.text != "''":
		return []string{o.text, seq}
	case o.number != "0":
		return []string{o.number, seq}
	default:
		return []string{seq}
	}
}

// loose gives the same order in a form that no index serves.
func (o order) loose() order {
	if o.text != "''" {
		o.text = loose(o.text)
	}
	if o.number != "0" {
		o.number = looseNumber(o.number)
	}
	o.sorted = true
	return o
}

// loose gives a column in a form that no index serves: no column is ever NULL.
func loose(column string) string { return "coalesce(" + column + ", '')" }

func looseNumber(column string) string { return "coalesce(" + column + ", 0)" }

func (o order) by() string {
	direction := ""
	if o.descending {
		direction = " DESC"
	}
	return " ORDER BY " + strings.Join(o.columns(), direction+", ") + direction
}

// key is where a page of a list ended.
type key struct {
	set    bool
	text   string
	number int64
	seq    int64
}

// token is a key as a text that only we read.
func (o order) token(text string, number, seq int64) string {
	direction := ""
	if o.descending {
		direction = "-"
	}
	form, err := json.Marshal([]any{direction + o.name, text, number, seq})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(form)
}

func (o order) parseToken(token string) (key, error) {
	if token == "" {
		return key{}, nil
	}
	invalid := fault("invalid-page", "%.40q does not continue this list", "give what the page before said, with the same order", token)
	form, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return key{}, invalid
	}
	var parts []json.RawMessage
	k := key{set: true}
	var name string
	if json.Unmarshal(form, &parts) != nil || len(parts) != 4 ||
		json.Unmarshal(parts[0], &name) != nil || json.Unmarshal(parts[1], &k.text) != nil ||
		json.Unmarshal(parts[2], &k.number) != nil || json.Unmarshal(parts[3], &k.seq) != nil {
		return key{}, invalid
	}
	if bare, descending := strings.CutPrefix(name, "-"); bare != o.name || descending != o.descending {
		return key{}, invalid
	}
	return k, nil
}

// where collects conditions and their arguments, numbered as they come.
type where struct {
	conditions []string
	args       []any
}

// add adds a condition, in which each ? is the next argument.
func (w *where) add(condition string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// text adds a condition unless its argument is empty.
func (w *where) text(condition, arg string) {
	if arg != "" {
		w.add(condition, arg)
	}
}

// after adds the condition that rows come after a key.
func (w *where) after(o order, k key) {
	if !k.set {
		return
	}
	than := " > "
	if o.descending {
		than = " < "
	}
	columns := o.columns()
	row, places := strings.Join(columns, ", "), strings.Repeat("?, ", len(columns)-1)+"?"
	switch {
	case len(columns) == 1:
		w.add(row+than+places, k.seq)
	case o.text != "''":
		w.add("("+row+")"+than+"("+places+")", k.text, k.seq)
	default:
		w.add("("+row+")"+than+"("+places+")", k.number, k.seq)
	}
}

func (w *where) limit(n int) string {
	w.args = append(w.args, int64(n))
	return " LIMIT $" + strconv.Itoa(len(w.args))
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

func limited(n int) (int, error) {
	switch {
	case n == 0:
		return DefaultLimit, nil
	case n < 0 || n > MaxLimit:
		return 0, fault("invalid-limit", "%d rows cannot be listed at once", "from 1 to "+strconv.Itoa(MaxLimit), n)
	default:
		return n, nil
	}
}

// maxSearch bounds a search text, in bytes.
const maxSearch = 200

func searchText(text string) error {
	if len(text) > maxSearch || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n") {
		return fault("invalid-search", "%.20q… cannot be searched for", "at most 200 bytes of text on one line", text)
	}
	return nil
}
