package commit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/domain/customer"
	"github.com/daybook-ledger/daybook/domain/erasure"
	"github.com/daybook-ledger/daybook/domain/invoice"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/memory"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/testing/given"
)

type fixture struct {
	ring  *keyring.Ring
	codec *Codec
	book  uuid.UUID
	ada   keyring.KeyID
	facts keyring.KeyID
}

func newFixture(t testing.TB) fixture {
	t.Helper()
	dir := t.TempDir()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Create(filepath.Join(dir, "ring"), keyring.KeyFile(filepath.Join(dir, "key")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ring.Close() })
	facts, err := ring.New(keyring.Facts)
	if err != nil {
		t.Fatal(err)
	}
	ada, err := ring.New(keyring.Subject)
	if err != nil {
		t.Fatal(err)
	}
	book := given.ID("book")
	return fixture{ring, NewCodec(book, inEpoch(1), ring, key), book, ada, facts}
}

// inEpoch is the epoch of every position.
func inEpoch(epoch uint64) func(uint64) uint64 { return func(uint64) uint64 { return epoch } }

// entered is the commit of an invoice for Ada.
func (f fixture) entered(t testing.TB) Commit {
	t.Helper()
	b := given.Opened(t)
	command := given.Enter("x", given.Content("ada", given.Line("2", "49.50", "S 20")))
	changes := b.Take(t, command)
	c := Commit{
		Book: f.book, Epoch: 1, Position: 7, ID: uuid.Must(uuid.NewV7()), Principal: given.Owner,
		Recorded: given.Now.Add(123456 * time.Microsecond), Correlation: uuid.Must(uuid.NewV7()), Rules: 1,
		Command: command, Subjects: map[uuid.UUID]keyring.KeyID{given.ID("ada"): f.ada}, Facts: f.facts,
	}
	for i, change := range changes {
		c.Events = append(c.Events, Event{Stream: change.Stream, Revision: uint64(i + 1), Event: change.Event})
	}
	return c
}

func (f fixture) seal(t testing.TB, c Commit) []byte {
	t.Helper()
	command, err := f.codec.EncodeCommand(c.Command)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.codec.Seal(c, command)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestACommitComesBack(t *testing.T) {
	f := newFixture(t)
	c := f.entered(t)
	stored := f.seal(t, c)
	got, err := f.codec.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	command, err := f.codec.EncodeCommand(c.Command)
	if err != nil {
		t.Fatal(err)
	}
	c.Digest, c.Entry, c.Sections = command.Digest, page.EntryHash(stored), got.Sections
	for i, e := range c.Events {
		facts, personal, schema, err := codec.EncodeEvent(e.Event)
		if err != nil {
			t.Fatal(err)
		}
		c.Events[i].Stored = Stored{schema, facts, personal}
	}
	if !reflect.DeepEqual(got, c) {
		t.Errorf("got  %+v\nwant %+v", got, c)
	}
	again := f.seal(t, c)
	if bytes.Equal(stored, again) {
		t.Error("sealing twice gives the same bytes: the salts are not fresh")
	}
}

// What is readable without keys is ids and types, never names, texts or amounts.
func TestNothingPersonalInClear(t *testing.T) {
	f := newFixture(t)
	c := f.entered(t)
	stored := f.seal(t, c)
	for _, secret := range []string{"ada & Co", "A useful thing", "Leeds", "49.5", "INV-", "Acme", "GB987654321"} {
		if bytes.Contains(stored, []byte(secret)) {
			t.Errorf("%q stands in clear", secret)
		}
	}
	if !bytes.Contains(stored, []byte("invoice.issued")) {
		t.Error("the event's type does not stand in clear")
	}
}

// Once a subject's key is destroyed, and the log says so, the facts open and the
// personal parts are gone.
func TestAnErasedSubject(t *testing.T) {
	f := newFixture(t)
	stored := f.seal(t, f.entered(t))
	whole, err := f.codec.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	f.erase(t)
	got, err := f.codec.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	if digest := got.Sections[given.ID("ada")]; digest == [32]byte{} || digest != whole.Sections[given.ID("ada")] {
		t.Error("the digest of the sealed section did not outlast its key")
	}
	if enter := got.Command.(*invoice.Enter); enter.Personal != nil || len(enter.Content.Lines) != 1 {
		t.Errorf("the command: %+v", enter)
	}
	for _, e := range got.Events {
		if issued, ok := e.Event.(*invoice.Issued); ok && (issued.Personal != nil || issued.Totals.Gross.String() != "118.80") {
			t.Errorf("the event: %+v", issued)
		}
	}
}

// erase destroys Ada's key, and has a log say so.
func (f fixture) erase(t testing.TB) {
	t.Helper()
	says := Commit{
		Book: f.book, Epoch: 1, Position: 0, ID: uuid.Must(uuid.NewV7()), Principal: given.Owner, Recorded: given.Now,
		Rules: 1, Facts: f.facts, Command: &erasure.Erase{Customer: given.ID("ada"), Scope: customer.All, Reason: "asked"},
		Events: []Event{{Stream: customer.Stream(given.ID("ada")), Revision: 9, Event: &customer.KeyDestroyed{Scope: customer.All}}},
	}
	signer, err := page.NewSigner("daybook.invalid/test/1", ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	stored := f.seal(t, says)
	var edge page.Edge
	edge.Append(page.LeafHash(stored), nil)
	body, err := signer.Page(page.Head{Page: 1, Size: 1, Root: edge.Root()}, 0, [][]byte{stored})
	if err != nil {
		t.Fatal(err)
	}
	log := memory.New()
	if err := errors.Join(log.Append(t.Context(), 0, body), f.ring.DestroyFor(Erasure{Page: 1}.Note(), f.ada)); err != nil {
		t.Fatal(err)
	}
	f.codec.ProveErasures(log, signer.Verifier())
}

// A key that is missing without having been destroyed is damage.
func TestAMissingKey(t *testing.T) {
	f := newFixture(t)
	c := f.entered(t)
	stored := f.seal(t, c)
	other := newFixture(t)
	other.codec.digest = f.codec.digest
	if _, err := other.codec.Open(stored); err == nil {
		t.Error("opened with another ring")
	}
	strange := NewCodec(uuid.Must(uuid.NewV7()), inEpoch(1), f.ring, f.codec.digest)
	if _, err := strange.Open(stored); !errors.Is(err, ErrForm) {
		t.Errorf("opened as another book's: %v", err)
	}
	epoch := NewCodec(f.book, inEpoch(2), f.ring, f.codec.digest)
	if _, err := epoch.Open(stored); !errors.Is(err, ErrForm) {
		t.Errorf("opened as another epoch's: %v", err)
	}
}

func TestAPageWhoseCommitsStandElsewhere(t *testing.T) {
	f := newFixture(t)
	stored := f.seal(t, f.entered(t)) // says position 7
	for _, old := range []uint64{6, 7} {
		_, err := f.codec.OpenPage(page.Page{OldSize: old, Commits: [][]byte{stored}})
		if (err == nil) != (old == 7) {
			t.Errorf("at position %d: %v", old, err)
		}
	}
}

// The digest tells contents apart, and is not the same under another key.
func TestDigestsOfCommands(t *testing.T) {
	f, other := newFixture(t), newFixture(t)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringN(1, 20, 40), 2, 2).Draw(t, "names")
		register := func(codec *Codec, name string) Command {
			encoded, err := codec.EncodeCommand(&customer.Register{ID: given.ID("x"), Personal: &customer.Profile{Name: name}})
			if err != nil {
				t.Skip(err)
			}
			return encoded
		}
		a, b := register(f.codec, names[0]), register(f.codec, names[1])
		if (a.Digest == b.Digest) != (names[0] == names[1]) {
			t.Errorf("%q and %q", names[0], names[1])
		}
		if a.Digest == register(other.codec, names[0]).Digest {
			t.Error("the digest does not depend on the key")
		}
	})
}

func TestDerivedIDs(t *testing.T) {
	f, other := newFixture(t), newFixture(t)
	id := f.codec.DeriveID("invoice/536365")
	if id.Version() != 8 || id.Variant() != uuid.RFC4122 {
		t.Errorf("%s is of version %d, %s", id, id.Version(), id.Variant())
	}
	if id != f.codec.DeriveID("invoice/536365") || id == f.codec.DeriveID("invoice/536366") || id == other.codec.DeriveID("invoice/536365") {
		t.Error("ids must be those of a label in a book")
	}
}

func FuzzOpen(f *testing.F) {
	fix := newFixture(f)
	c := fix.entered(f)
	stored := fix.seal(f, c)
	f.Add(stored)
	f.Add(stored[:len(stored)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := fix.codec.Open(data)
		if err == nil && got.Entry != page.EntryHash(data) {
			t.Error("opened as something else")
		}
	})
}

// FuzzSections gives the section decoders whatever a holder of the keys could
// have sealed.
func FuzzSections(f *testing.F) {
	facts, err := encoding.Marshal(factsSection{Rules: 1, Kind: "invoice.approve", Schema: 1, Command: []byte{0xa0}, Events: [][]byte{{0xa0}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(facts)
	f.Fuzz(func(t *testing.T, data []byte) {
		var s factsSection
		if decoding.Unmarshal(data, &s) == nil {
			if again, err := encoding.Marshal(s); err != nil || len(again) > len(data)+64 {
				t.Errorf("%x became %x, %v", data, again, err)
			}
		}
		var p personalSection
		_ = decoding.Unmarshal(data, &p)
	})
}

// FuzzErasureOf reads whatever a damaged ring may hold in the place of a key.
func FuzzErasureOf(f *testing.F) {
	good := Erasure{Page: 3, Position: 7, Slots: 5}.Note()
	f.Add(good[:])
	f.Add(make([]byte, len(good)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var note keyring.Note
		if len(data) != len(note) {
			t.Skip()
		}
		copy(note[:], data)
		e, is := ErasureOf(note)
		if is && (e.Page == 0 || e.Note() != note) {
			t.Errorf("%x is read as %+v", note, e)
		}
		if e.Page != 0 && !is && e.Note() == note {
			t.Errorf("%x, which says %+v, is read as none", note, e)
		}
	})
}
