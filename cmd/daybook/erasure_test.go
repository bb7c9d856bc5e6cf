package main

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	endian "encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/chacha20poly1305"
	"lukechampine.com/adiantum"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/seal"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// The person who is erased. No text of hers is part of anything else.
const (
	herName   = "Quixotina Zebrowski-Ångström"
	herStreet = "77 Xylophone Crescent"
	herOther  = "12 Yggdrasil Gardens"
	herCity   = "Brzezinka-on-Sea"
	herEmail  = "quixotina@zzyzx.example"
	herVATID  = "GB778812345QX"
	herRef    = "QXREF-0042"
	herNote   = "the blue harmonium as discussed"
	herDraft  = "a second-hand theremin perhaps"
	herText   = "harmonium fund, first half"
	herRefund = "too much for the harmonium"
)

var hers = []string{herName, herStreet, herOther, herCity, herEmail, herVATID, herRef, herNote, herDraft, herText, herRefund}

// home is a book in a folder, and the program.
type home struct {
	*testing.T
	dir, key string
}

func (h home) run(args ...string) string {
	h.Helper()
	var out, told bytes.Buffer
	env := func(name string) string {
		return map[string]string{"DAYBOOK_DIR": h.dir, "DAYBOOK_KEY_FILE": h.key, "DAYBOOK_CACHE_DIR": os.Getenv("DAYBOOK_CACHE_DIR")}[name]
	}
	if code := run(append([]string{"daybook"}, args...), strings.NewReader(""), &out, &told, env); code != exitDone {
		h.Fatalf("daybook %s: %s", strings.Join(args, " "), told.String())
	}
	return out.String()
}

// open holds the book, as a process does that goes on.
func (h home) open() (*bookdir.Book, *bookdir.Views) {
	h.Helper()
	b, err := bookdir.Open(h.Context(), h.dir, bookdir.Options{
		Root: keyring.KeyFile(h.key), Clock: bookdir.SystemClock(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.Fatal(err)
	}
	v, err := b.OpenViews(h.Context(), nil)
	if err != nil {
		h.Fatal(err)
	}
	return b, v
}

const herOrders = `number,date,quantity,price,customer
QI1,2010-03-01,2,15.00,` + herRef + `
QI2,2010-03-02,1,4.00,C-2
`

const herMap = `currency = "GBP"
prices = "net"
time_zone = "Europe/London"
dates = ["YYYY-MM-DD"]
[columns]
number = "number"
date = "date"
quantity = "quantity"
price = "price"
customer = "customer"
[kinds]
"Q" = "invoice"
[tax]
category = "O"
rate = "0"
reason = "The source has no VAT data"
[no_customer]
reference = "no-customer"
name = "Unnamed"
`

// business does with her what is done with customers: drafts, edits, documents,
// payments, an import.
func (h home) business() {
	h.Helper()
	h.run("init", "--key-file", h.key, "--name", "Acme Ltd", "--currency", "GBP", "--country", "GB", "--vat-id", "GB123456789")
	h.run("customer", "add", herName, "--country", "GB", "--address", herStreet, "--city", herCity, "--email", herEmail, "--reference", herRef)
	h.run("customer", "add", "Bob Bystander", "--country", "GB", "--reference", "C-2")
	h.run("customer", "edit", "ext:"+herRef, "--address", herOther, "--vat-id", herVATID)
	for _, reference := range []string{"one", "two", "three"} {
		h.run("invoice", "draft", "--customer", "ext:"+herRef, "--line", "1 x 100 @S20 "+herDraft, "--note", herDraft, "--reference", reference)
	}
	h.run("invoice", "edit", "ext:one", "--line", "1 x 50 @S20 "+herNote, "--note", herNote)
	h.run("invoice", "discard", "ext:three")
	h.run("invoice", "approve", "ext:one")
	h.run("invoice", "issue", "ext:one", "--date", "2010-02-01", "--receipt", filepath.Join(filepath.Dir(h.dir), "receipt"))
	for name, text := range map[string]string{"orders.csv": herOrders, "map.toml": herMap} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(h.dir), name), []byte(text), 0o600); err != nil {
			h.Fatal(err)
		}
	}
	h.run("import", "csv", "--map", filepath.Join(filepath.Dir(h.dir), "map.toml"), "--rejects", filepath.Join(filepath.Dir(h.dir), "rejects"), filepath.Join(filepath.Dir(h.dir), "orders.csv"))
	h.run("credit", "issue", "--invoice", "ext:one", "--line", "1 x 10 "+herNote, "--date", "2010-02-02")
	h.run("payment", "receive", "--customer", "ext:"+herRef, "--amount", "100", "--date", "2010-04-01", "--text", herText, "--reference", "TX-1",
		"--invoice", "ext:one", "--invoice", "ext:QI1")
	h.run("payment", "refund", "ext:TX-1", "--date", "2010-04-02", "--text", herRefund)
}

// TestNothingIsLeft: once a customer is erased, nothing of her is in any file of
// the book, neither as it lies on the disk nor when all is opened that any key
// that is left opens: free pages and write-ahead logs too, and beside a process
// that has the book open meanwhile. What the book says of others, its totals and
// its proofs are what they were.
func TestNothingIsLeft(t *testing.T) {
	folder := t.TempDir()
	h := home{t, filepath.Join(folder, "book"), filepath.Join(folder, "key")}
	h.business()
	held, shown := h.open()
	defer func() {
		if err := errors.Join(shown.Close(), held.Close(context.Background())); err != nil {
			t.Error(err)
		}
	}()
	h.run("rebuild")
	h.run("invoice", "list", "--search", "quixotina")

	// The search must find what is there to be found, or it proves nothing.
	before := h.search()
	for place, texts := range map[string][]string{
		"log":   hers,
		"state": {herName, herOther, herCity, herEmail, herVATID, herRef, herDraft},
		"views": {herName, herOther, herCity, herEmail, herVATID, herRef, herDraft, herNote, herText},
	} {
		for _, text := range texts {
			if !slices.Contains(before[place], text) {
				t.Errorf("before the erasure the search does not find %q in the %s", text, place)
			}
		}
	}
	if len(before["raw"]) > 0 {
		t.Errorf("on the disk, in clear: %q", before["raw"])
	}
	figures := h.figures()
	former := h.files() // what a disk may go on keeping of files that were removed

	h.run("customer", "erase", "ext:"+herRef, "--reason", "asked")
	// At once, before anybody opens the views again and finds them too old.
	for place, found := range h.search() {
		if len(found) > 0 {
			t.Errorf("when the erasure is answered, in the %s: %q", place, found)
		}
	}
	if err := shown.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.run("customer", "edit", "ext:C-2", "--city", "Leeds") // so that there is a write-ahead log
	if err := shown.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for place, found := range h.search() {
		if len(found) > 0 {
			t.Errorf("after the erasure, in the %s: %q", place, found)
		}
	}
	if found, _, _ := h.openFiles(former); len(found["state"])+len(found["views"]) > 0 {
		t.Errorf("after the erasure former files open: %q", found)
	}
	if now := h.figures(); !maps.Equal(now, figures) {
		t.Errorf("the figures were\n%v\nand are\n%v", figures, now)
	}
	h.run("verify", "--receipt", filepath.Join(folder, "receipt"))
	if list := h.run("customer", "list"); !strings.Contains(list, "(erased)") || !strings.Contains(list, "Bob Bystander") {
		t.Errorf("customers: %s", list)
	}
	// And it stays so when everything is made anew.
	h.run("rebuild")
	for place, found := range h.search() {
		if len(found) > 0 {
			t.Errorf("made anew, in the %s: %q", place, found)
		}
	}
}

// figures are what an erasure must not change.
func (h home) figures() map[string]string {
	return map[string]string{
		"balance": h.run("report", "trial-balance", "--json"),
		"tax":     h.run("report", "tax", "--json"),
		"open":    h.run("report", "open-items", "--json"),
	}
}

// search looks for her everywhere, and gives what it finds by place.
func (h home) search() map[string][]string {
	h.Helper()
	found, state, views := h.openFiles(h.files())
	// A new state file gets its rows a moment after the answer.
	for end := time.Now().Add(5 * time.Second); state == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		found, state, views = h.openFiles(h.files())
	}
	if state == 0 || views == 0 {
		h.Fatalf("%d rows of the state and %d pages of views could be opened", state, views)
	}
	found["log"] = seen(h.openLog(h.surviving()))
	return found
}

// files gives all files of the book.
func (h home) files() map[string][]byte {
	h.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return files
}

// openFiles looks for her in files as they are, and opened by the keys that are
// left; it gives what it finds, and how many rows and pages it could open.
func (h home) openFiles(files map[string][]byte) (found map[string][]string, state, views int) {
	h.Helper()
	keys := h.surviving()
	found = map[string][]string{}
	for path, data := range files {
		found["raw"] = append(found["raw"], seen(data)...)
		switch name := filepath.Base(path); {
		case strings.HasPrefix(name, "state.db"):
			rows, n := openState(data, keys[keyring.State])
			found["state"], state = append(found["state"], seen(rows)...), state+n
		case strings.HasPrefix(name, "views.") && strings.Contains(name, ".db"):
			pages, n := openViews(data, keys[keyring.View])
			found["views"], views = append(found["views"], seen(pages)...), views+n
		}
	}
	return found, state, views
}

// surviving gives all live keys by kind.
func (h home) surviving() map[keyring.Kind][][]byte {
	h.Helper()
	ring, err := keyring.Open(filepath.Join(h.dir, "ring"), keyring.KeyFile(h.key))
	if err != nil {
		h.Fatal(err)
	}
	defer ring.Close()
	all, _, err := ring.List()
	if err != nil {
		h.Fatal(err)
	}
	keys := map[keyring.Kind][][]byte{}
	for _, k := range all {
		if k.Destroyed {
			continue
		}
		key, err := ring.Key(k.ID)
		if err != nil {
			h.Fatal(err)
		}
		keys[k.Kind] = append(keys[k.Kind], key)
	}
	return keys
}

// openLog gives the headers of all commits, and every section under every key of
// whatever kind that opens it.
func (h home) openLog(keys map[keyring.Kind][][]byte) (plain []byte) {
	h.Helper()
	log, err := bookdir.OpenLog(h.Context(), h.dir, time.Minute, slog.New(slog.DiscardHandler))
	if err != nil {
		h.Fatal(err)
	}
	defer log.Close(context.Background())
	last, err := log.Store.Last(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	opened := 0
	for stored, err := range log.Store.Read(h.Context(), 1, last) {
		if err != nil {
			h.Fatal(err)
		}
		var p page.Page
		if p, err = log.Verifier.Open(stored.Body); err != nil {
			h.Fatal(err)
		}
		for _, c := range p.Commits {
			sealed, err := seal.Parse(c)
			if err != nil {
				h.Fatal(err)
			}
			plain = append(plain, c...)
			for i := range sealed.Header.Sections {
				for key := range everyKey(keys) {
					if section, err := sealed.Open(i, key); err == nil {
						plain = append(plain, section...)
						opened++
					}
				}
			}
		}
	}
	if opened < 15 { // the facts of every commit, and Bob
		h.Fatalf("%d sections of the log could be opened", opened)
	}
	return plain
}

func everyKey(keys map[keyring.Kind][][]byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, list := range keys {
			for _, key := range list {
				if !yield(key) {
					return
				}
			}
		}
	}
}

// openViews decrypts a file of views, or what SQLite keeps beside one, block by
// block: whatever lies in it, used or free.
func openViews(data []byte, keys [][]byte) (plain []byte, pages int) {
	const block = 4096
	for _, key := range keys {
		cipher := adiantum.New(key)
		for at := 0; at+block <= len(data); at += block {
			tweak := endian.LittleEndian.AppendUint64(nil, uint64(at))
			plain = append(plain, cipher.Decrypt(bytes.Clone(data[at:at+block]), tweak)...)
			pages++
		}
	}
	return plain, pages
}

// openState opens every row that lies anywhere in a state file or its write-ahead
// log, used or free: a record of a name of nameSize bytes and a value. Its seal tells
// whether it is one.
func openState(data []byte, keys [][]byte) (plain []byte, rows int) {
	const nameSize = state.PlaceSize + 16
	const nameType = 12 + 2*nameSize // SQLite's serial type of so many bytes
	for _, key := range keys {
		valueKey, err := hkdf.Key(sha256.New, key, nil, "daybook/state/values/1", 32)
		if err != nil {
			panic(err)
		}
		aead, err := chacha20poly1305.NewX(valueKey)
		if err != nil {
			panic(err)
		}
		for at := 0; at+24 < len(data); at++ {
			head := int(data[at])
			if head < 3 || head > 5 || data[at+1] != nameType {
				continue
			}
			serial := 0
			for _, b := range data[at+2 : at+head] {
				serial = serial<<7 | int(b&0x7f)
			}
			name := at + head
			value := name + nameSize
			end := value + (serial-12)/2
			if serial < 12 || value+24 > end || end > len(data) {
				continue
			}
			row, err := aead.Open(nil, data[value:value+24], data[value+24:end], data[name:value])
			if err == nil {
				plain = append(plain, row...)
				rows++
			}
		}
	}
	return plain, rows
}

// seen gives which of her texts stand in data, in whatever form a program may
// have given them.
func seen(data []byte) (found []string) {
	for _, text := range hers {
		if slices.ContainsFunc(forms(text), func(form []byte) bool { return bytes.Contains(data, form) }) {
			found = append(found, text)
		}
	}
	return found
}

// forms gives a text in UTF-8 and UTF-16, as it is and in one case, in hex and in
// base64 at each of its three places in a longer text.
func forms(text string) (all [][]byte) {
	for _, t := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
		little, big := []byte{}, []byte{}
		for _, unit := range utf16.Encode([]rune(t)) {
			little = endian.LittleEndian.AppendUint16(little, unit)
			big = endian.BigEndian.AppendUint16(big, unit)
		}
		for _, raw := range [][]byte{[]byte(t), little, big} {
			encoded := hex.EncodeToString(raw)
			all = append(all, raw, []byte(encoded), []byte(strings.ToUpper(encoded)))
			for shift := range 3 {
				whole := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), raw...))
				// The first and last digits depend on what stands around.
				first, last := (shift*8+5)/6, (shift+len(raw))*8/6
				all = append(all, []byte(whole[first:last]), []byte(strings.NewReplacer("+", "-", "/", "_").Replace(whole[first:last])))
			}
		}
	}
	return all
}

// The search finds a text in each of its forms, wherever it stands.
func TestSearchFindsEveryForm(t *testing.T) {
	for shift := range 3 {
		around := append(bytes.Repeat([]byte{'~'}, shift), herEmail+" and more"...)
		wide := utf16.Encode([]rune("," + herEmail + ","))
		for name, data := range map[string][]byte{
			"as it is":  around,
			"hex":       []byte(hex.EncodeToString(around)),
			"base64":    []byte(base64.StdEncoding.EncodeToString(around)),
			"for URLs":  []byte(base64.URLEncoding.EncodeToString(around)),
			"UTF-16":    endian.BigEndian.AppendUint16(nil, 7),
			"in a file": []byte(fmt.Sprintf("%s\x00%s", "x", strings.ToUpper(herEmail))),
		} {
			if name == "UTF-16" {
				for _, unit := range wide {
					data = endian.LittleEndian.AppendUint16(data, unit)
				}
			}
			if !slices.Equal(seen(data), []string{herEmail}) {
				t.Errorf("%s, at place %d: %q", name, shift, seen(data))
			}
		}
	}
	if found := seen([]byte("nothing of hers")); found != nil {
		t.Errorf("found %q", found)
	}
}
