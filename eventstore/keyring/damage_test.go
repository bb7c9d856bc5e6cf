package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenKey is the key file of the golden ring and of the fuzzed ones.
var goldenKey = bytes.Repeat([]byte{0xc3}, 32)

// buildGolden makes a ring of which every byte is fixed: six slots, of which
// the fourth is destroyed, and two names.
func buildGolden(t testing.TB, path string, root Root) *Ring {
	t.Helper()
	r, err := Create(path, root, cheap, WithRand(rand.NewChaCha8([32]byte([]byte("daybook test vectors: no secret!")))))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Reserve(Facts, 2)
	_, err2 := r.Reserve(Subject, 3)
	err = errors.Join(err, err2, r.SetNamed("facts", 1), r.SetNamed("view/invoices", 2), r.Destroy(4))
	_, err2 = r.New(Signing)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return r
}

func goldenRoots(t testing.TB) map[string]Root {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, goldenKey, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]Root{"passphrase": Passphrase(secretPhrase), "key-file": KeyFile(path)}
}

// TestGolden: rings that a release has written are opened by every later one.
func TestGolden(t *testing.T) {
	for name, root := range goldenRoots(t) {
		golden := filepath.Join("testdata", "v1-"+name+".ring")
		path := filepath.Join(t.TempDir(), "ring")
		var keys strings.Builder
		fresh := buildGolden(t, path, root)
		describe(t, &keys, fresh)
		_ = fresh.Close()
		made := must[[]byte](t)(os.ReadFile(path))
		if *update {
			if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, made, 0o600),
				os.WriteFile(golden+".txt", []byte(keys.String()), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want := must[[]byte](t)(os.ReadFile(golden))
		if !bytes.Equal(made, want) {
			t.Errorf("%s: the bytes of a ring have changed", name)
		}
		copied := filepath.Join(t.TempDir(), "ring")
		if err := os.WriteFile(copied, want, 0o600); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		describe(t, &got, reopen(t, copied, root))
		if content := must[[]byte](t)(os.ReadFile(golden + ".txt")); got.String() != string(content) {
			t.Errorf("%s: the ring opens to\n%s, want\n%s", name, got.String(), content)
		}
	}
}

func describe(t *testing.T, out *strings.Builder, r *Ring) {
	for id := KeyID(1); id <= 6; id++ {
		key, err := r.Key(id)
		if err != nil {
			key = []byte(errors.Unwrap(err).Error())
			fmt.Fprintf(out, "%d %v %s\n", id, must[Kind](t)(r.Kind(id)), key)
			continue
		}
		fmt.Fprintf(out, "%d %v %x\n", id, must[Kind](t)(r.Kind(id)), key)
	}
	for _, name := range []string{"facts", "view/invoices"} {
		fmt.Fprintf(out, "%s %d\n", name, must[KeyID](t)(r.Named(name)))
	}
}

// openBytes opens a copy of a ring's bytes.
func openBytes(t testing.TB, path string, b []byte, root Root) (*Ring, error) {
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(path, root)
}

func smallRing(t testing.TB) ([]byte, Root) {
	root := goldenRoots(t)["key-file"]
	path := filepath.Join(t.TempDir(), "ring")
	r := buildGolden(t, path, root)
	defer r.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, root
}

func TestEveryFlippedBitIsDetected(t *testing.T) {
	good, root := smallRing(t)
	path := filepath.Join(t.TempDir(), "ring")
	for bit := range headerSize * 8 {
		b := bytes.Clone(good)
		b[bit/8] ^= 1 << (bit % 8)
		if _, _, err := new(Ring).unlock(b, root); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
		// One who tampers makes the checksum right again.
		resum(b)
		if bit/8 < atChecksum {
			if _, _, err := new(Ring).unlock(b, root); err == nil {
				t.Fatalf("bit %d of byte %d, checksum made right: opened", bit%8, bit/8)
			}
		}
	}
	r, err := openBytes(t, path, good, root)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for at := int64(headerSize); at < int64(len(good)); at++ {
		for bit := range 8 {
			damage(t, path, at, 1<<bit)
			hit := KeyID((at-headerSize)/slotSize) + 1
			_, err := r.Key(hit)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), fmt.Sprintf("slot %d", hit)) {
				t.Fatalf("bit %d of byte %d: %v", bit, at, err)
			}
			damage(t, path, at, 1<<bit)
		}
	}
}

// TestDamageStaysWhereItIs: one bad slot stops what needs it, and nothing else.
func TestDamageStaysWhereItIs(t *testing.T) {
	r, path := tempRing(t)
	ids := must[[]KeyID](t)(r.Reserve(Subject, 3))
	r.Forget(ids...)
	damage(t, path, slotOffset(ids[1])+30, 4)
	before := must[[]byte](t)(os.ReadFile(path))
	must[[]byte](t)(r.Key(ids[0]))
	must[[]byte](t)(r.Key(ids[2]))
	wantErr(t, r.SetNamed("x", ids[0]), ErrDamaged)
	wantErr(t, r.ChangeRoot(Passphrase([]byte("b"))), ErrDamaged)
	wantErr(t, r.Destroy(ids[0], ids[1]), ErrDamaged)
	_, err := r.IDs(Subject)
	wantErr(t, err, ErrDamaged)
	if !bytes.Equal(before, must[[]byte](t)(os.ReadFile(path))) {
		t.Error("the file was changed")
	}
	if left, _ := filepath.Glob(path + newSuffix); left != nil {
		t.Errorf("left behind: %v", left)
	}
	must[KeyID](t)(r.New(Subject))
}

func TestSlotsCannotChangePlaces(t *testing.T) {
	good, root := smallRing(t)
	path := filepath.Join(t.TempDir(), "ring")
	swapped := bytes.Clone(good)
	copy(swapped[slotOffset(1):][:slotSize], good[slotOffset(2):])
	copy(swapped[slotOffset(2):][:slotSize], good[slotOffset(1):])
	r, err := openBytes(t, path, swapped, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []KeyID{1, 2} {
		_, err = r.Key(id)
		wantErr(t, err, ErrDamaged)
	}
	// Nor come from an earlier epoch of the same ring.
	epoch := reopen(t, path, root)
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := epoch.SetNamed("other", 1); err != nil {
		t.Fatal(err)
	}
	b := must[[]byte](t)(os.ReadFile(path))
	copy(b[slotOffset(1):][:slotSize], good[slotOffset(1):])
	later, err := openBytes(t, path, b, root)
	if err != nil {
		t.Fatal(err)
	}
	_, err = later.Key(1)
	wantErr(t, err, ErrDamaged)
}

func TestAnotherRingInItsPlace(t *testing.T) {
	r, path := tempRing(t)
	must[KeyID](t)(r.New(Facts))
	older := must[[]byte](t)(os.ReadFile(path))
	if err := r.SetNamed("x", 1); err != nil {
		t.Fatal(err)
	}
	_, stranger := tempRing(t)
	for name, b := range map[string][]byte{"older": older, "another": must[[]byte](t)(os.ReadFile(stranger))} {
		if err := errors.Join(os.WriteFile(path+"2", b, 0o600), os.Rename(path+"2", path)); err != nil {
			t.Fatal(err)
		}
		_, err := r.New(Facts)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTruncation(t *testing.T) {
	good, root := smallRing(t) // its header was written when there were five slots
	path := filepath.Join(t.TempDir(), "ring")
	for length := range len(good) + 1 {
		r, err := openBytes(t, path, good[:length], root)
		slots := KeyID(slotsIn(int64(length)))
		if slots < 5 {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%d bytes: %v", length, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
		must[[]byte](t)(r.Key(5))
		if _, err = r.Key(6); slots < 6 && !errors.Is(err, ErrUnknownKey) {
			t.Fatalf("%d bytes: key 6: %v", length, err)
		}
		// The next append overwrites what is incomplete.
		id := must[KeyID](t)(r.New(Facts))
		key := must[[]byte](t)(r.Key(id))
		if id != slots+1 {
			t.Fatalf("%d bytes: new key %d", length, id)
		}
		_ = r.Close()
		r = reopen(t, path, root)
		if !bytes.Equal(key, must[[]byte](t)(r.Key(id))) {
			t.Fatalf("%d bytes: the new key is another", length)
		}
		if n := must[int](t)(r.Len()); n != int(id) {
			t.Fatalf("%d bytes: %d slots", length, n)
		}
		_ = r.Close()
	}
}

// TestCostsAreBounded: a tampered header cannot exhaust the machine.
func TestCostsAreBounded(t *testing.T) {
	_, path := tempRing(t)
	good := must[[]byte](t)(os.ReadFile(path))
	for _, p := range []Params{
		{0, minMemory, 1},
		{maxTime + 1, minMemory, 1},
		{1 << 31, minMemory, 1},
		{1, 0, 1},
		{1, minMemory - 1, 1},
		{1, maxMemory + 1, 1},
		{1, 1<<32 - 1, 1},
		{1, minMemory, 0},
		{1, minMemory, maxThreads + 1},
		{1, minMemory, 255},
	} {
		b := bytes.Clone(good)
		b[atThreads] = p.Threads
		binary.BigEndian.PutUint32(b[atTime:], p.Time)
		binary.BigEndian.PutUint32(b[atMemory:], p.Memory)
		resum(b)
		_, err := openBytes(t, path, b, Passphrase(secretPhrase))
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// stubRoot is a root key that costs nothing.
type stubRoot struct{ as rootMode }

func (r stubRoot) mode() rootMode { return r.as }

func (r stubRoot) rootKey(_ []byte, p Params) ([]byte, error) {
	if r.as == modePassphrase && !p.valid() {
		return nil, fmt.Errorf("argon2id would run with %+v", p)
	}
	return bytes.Repeat([]byte{7}, KeySize), nil
}

func (stubRoot) Format(fmt.State, rune) {}

// FuzzOpen: whatever stands in the file, it opens or gives a typed error.
func FuzzOpen(f *testing.F) {
	for _, as := range []rootMode{modePassphrase, modeKeyFile} {
		path := filepath.Join(f.TempDir(), "ring")
		_ = buildGolden(f, path, stubRoot{as}).Close()
		good, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(good, true)
		f.Add(good[:headerSize], true)
		f.Add(good[:500], false)
		f.Add(append(bytes.Clone(good[:headerSize]), make([]byte, 3*slotSize+7)...), true)
	}
	path := filepath.Join(f.TempDir(), "ring")
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix && len(b) >= headerSize {
			b = bytes.Clone(b)
			resum(b)
		}
		for _, as := range []rootMode{modePassphrase, modeKeyFile} {
			_, _, err := new(Ring).unlock(b, stubRoot{as})
			if err == nil {
				r, err := openBytes(t, path, b, stubRoot{as})
				useFuzzed(t, r, err)
			} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) && !errors.Is(err, ErrPassphrase) {
				t.Fatal(err)
			}
		}
	})
}

// useFuzzed takes a ring whose header opened: its slots may be anything.
func useFuzzed(t *testing.T, r *Ring, err error) {
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		return
	}
	defer r.Close()
	for id := range KeyID(min(must[int](t)(r.Len()), 10) + 2) {
		_, err := r.Key(id)
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnknownKey) && !errors.Is(err, ErrDestroyed) {
			t.Fatal(err)
		}
	}
}

// FuzzSlot: no slot opens but those that the ring wrote.
func FuzzSlot(f *testing.F) {
	good, root := smallRing(f)
	path := filepath.Join(f.TempDir(), "ring")
	r, err := openBytes(f, path, good, root)
	if err != nil {
		f.Fatal(err)
	}
	for id := KeyID(1); id <= 6; id++ {
		f.Add(good[slotOffset(id):][:slotSize], uint32(id))
	}
	f.Add(make([]byte, slotSize), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint32) {
		if len(b) != slotSize || n == 0 {
			return
		}
		s, err := r.keys.openSlot(b, r.head, KeyID(n))
		genuine := n <= 6 && bytes.Equal(b, good[slotOffset(KeyID(n)):][:slotSize])
		if genuine != (err == nil) {
			t.Fatalf("slot %d: %v", n, err)
		}
		if err != nil && (!errors.Is(err, ErrDamaged) || s != nil) {
			t.Fatal(err)
		}
	})
}
