package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// cheap keeps argon2id from taking the tests' time.
var cheap = WithParams(Params{Time: 1, Memory: minMemory, Threads: 1})

var secretPhrase = []byte("correct horse battery staple")

func tempRing(t *testing.T, given ...Option) (*Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ring")
	r, err := Create(path, Passphrase(secretPhrase), append([]Option{cheap}, given...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, path
}

func reopen(t *testing.T, path string, root Root) *Ring {
	t.Helper()
	r, err := Open(path, root, cheap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want one that is %q", err, want)
	}
}

func TestKeysSurviveReopening(t *testing.T) {
	r, path := tempRing(t)
	id := must[KeyID](t)(r.New(Facts))
	pool := must[[]KeyID](t)(r.Reserve(Subject, 5))
	want := map[KeyID][]byte{}
	for _, id := range append(pool, id) {
		want[id] = must[[]byte](t)(r.Key(id))
	}
	if id != 1 || fmt.Sprint(pool) != "[2 3 4 5 6]" {
		t.Fatalf("ids %d %v", id, pool)
	}
	_ = r.Close()
	r = reopen(t, path, Passphrase(secretPhrase))
	seen := map[string]bool{}
	for id, key := range want {
		got := must[[]byte](t)(r.Key(id))
		if !bytes.Equal(got, key) || len(got) != KeySize || seen[string(got)] {
			t.Errorf("key %d came back as another, or twice", id)
		}
		seen[string(got)] = true
	}
	if got := must[Kind](t)(r.Kind(1)); got != Facts {
		t.Errorf("kind %v", got)
	}
	if ids := must[[]KeyID](t)(r.IDs(Subject)); fmt.Sprint(ids) != fmt.Sprint(pool) {
		t.Errorf("subject keys %v, want %v", ids, pool)
	}
	if n := must[int](t)(r.Len()); n != 6 {
		t.Errorf("length %d", n)
	}
}

func TestKeyGivesACopy(t *testing.T) {
	r, _ := tempRing(t)
	id := must[KeyID](t)(r.New(Facts))
	key := must[[]byte](t)(r.Key(id))
	want := bytes.Clone(key)
	clear(key)
	if got := must[[]byte](t)(r.Key(id)); !bytes.Equal(got, want) {
		t.Error("wiping a key that was given out wiped the ring's")
	}
}

func TestRefusedArguments(t *testing.T) {
	r, path := tempRing(t)
	for _, try := range []func() error{
		func() error { _, err := r.New(0); return err },
		func() error { _, err := r.New(Transport + 1); return err },
		func() error { _, err := r.Reserve(Facts, 0); return err },
		func() error { _, err := r.Reserve(Facts, -1); return err },
		func() error { _, err := r.Reserve(Facts, MaxReserve+1); return err },
		func() error { return r.SetNamed("", 0) },
		func() error { return r.SetNamed("Facts", 0) },
		func() error { return r.SetNamed(strings.Repeat("a", maxNameSize+1), 0) },
		func() error { _, err := Open(path, Passphrase(nil)); return err },
		func() error { return r.ChangeRoot(Passphrase(nil)) },
		func() error { _, err := Create(path+"2", Passphrase(nil)); return err },
		func() error { _, err := Create(path+"2", Passphrase(secretPhrase), WithParams(Params{})); return err },
		func() error {
			_, err := Create(path+"2", Passphrase(secretPhrase), WithParams(Params{1, maxMemory + 1, 1}))
			return err
		},
	} {
		wantErr(t, try(), ErrInvalid)
	}
	for _, id := range []KeyID{0, 1, 1 << 31, 1<<32 - 1} {
		_, err := r.Key(id)
		wantErr(t, err, ErrUnknownKey)
		_, err = r.Kind(id)
		wantErr(t, err, ErrUnknownKey)
		wantErr(t, r.Destroy(id), ErrUnknownKey)
	}
	if n := must[int](t)(r.Len()); n != 0 {
		t.Errorf("%d slots written by refused calls", n)
	}
}

func TestWrongRoot(t *testing.T) {
	_, path := tempRing(t)
	_, err := Open(path, Passphrase([]byte("correct horse battery stapler")))
	wantErr(t, err, ErrPassphrase)
	_, err = Open(path, KeyFile(writeKeyFile(t, bytes.Repeat([]byte{7}, 32))))
	wantErr(t, err, ErrPassphrase)

	path = filepath.Join(t.TempDir(), "ring")
	random := make([]byte, 32)
	for i := range random {
		random[i] = byte(200 + i)
	}
	must[*Ring](t)(Create(path, KeyFile(writeKeyFile(t, random))))
	reopen(t, path, KeyFile(writeKeyFile(t, random)))
	// The same key in base64 is the same key.
	reopen(t, path, KeyFile(writeKeyFile(t, []byte(base64.StdEncoding.EncodeToString(random)+"\n"))))
	random[31] ^= 1
	_, err = Open(path, KeyFile(writeKeyFile(t, random)))
	wantErr(t, err, ErrPassphrase)
	_, err = Open(path, Passphrase(secretPhrase))
	wantErr(t, err, ErrPassphrase)
}

func writeKeyFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnusableKeyFiles(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty":        nil,
		"short":        bytes.Repeat([]byte{0xff}, 31),
		"short base64": []byte(base64.StdEncoding.EncodeToString(make([]byte, 31))),
		"text":         []byte("this is a passphrase, but a long one, in the wrong place"),
		"long":         bytes.Repeat([]byte{0xff}, maxKeyFile+1),
		"huge":         bytes.Repeat([]byte{0xff}, 1<<20),
	} {
		_, err := Create(filepath.Join(t.TempDir(), "ring"), KeyFile(writeKeyFile(t, content)))
		if !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := writeKeyFile(t, bytes.Repeat([]byte{0xff}, 32))
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o620} {
		if err := os.Chmod(good, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Create(filepath.Join(t.TempDir(), "ring"), KeyFile(good))
		if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	_, err := Create(filepath.Join(t.TempDir(), "ring"), KeyFile(filepath.Join(t.TempDir(), "none")))
	wantErr(t, err, ErrKeyFile)
	wantErr(t, err, fs.ErrNotExist)
	_, err = Create(filepath.Join(t.TempDir(), "ring"), KeyFile(t.TempDir()))
	wantErr(t, err, ErrKeyFile)
}

func TestMissingAndExisting(t *testing.T) {
	folder := t.TempDir()
	_, err := Open(filepath.Join(folder, "ring"), Passphrase(secretPhrase))
	wantErr(t, err, ErrMissing)
	left, _ := os.ReadDir(folder)
	if len(left) != 0 {
		t.Errorf("opening nothing left %v", left)
	}
	r, path := tempRing(t)
	before := must[[]byte](t)(os.ReadFile(path))
	_, err = Create(path, Passphrase(secretPhrase), cheap)
	wantErr(t, err, ErrExists)
	if !bytes.Equal(before, must[[]byte](t)(os.ReadFile(path))) {
		t.Error("Create touched the ring that was there")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("ring has mode %v", info.Mode())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = r.New(Facts)
	wantErr(t, err, ErrMissing)
	_, err = r.Key(9)
	wantErr(t, err, ErrMissing)
}

func TestNewerVersion(t *testing.T) {
	_, path := tempRing(t)
	b := must[[]byte](t)(os.ReadFile(path))
	b[atVersion+3] = version + 1
	clear(b[atChecksum:headerSize]) // where a newer version has something else
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, Passphrase(secretPhrase))
	wantErr(t, err, ErrNewer)
}

func TestDestroy(t *testing.T) {
	r, path := tempRing(t)
	ids := must[[]KeyID](t)(r.Reserve(Subject, 4))
	other := reopen(t, path, Passphrase(secretPhrase))
	kept := must[[]byte](t)(r.Key(ids[0]))
	must[[]byte](t)(other.Key(ids[1]))
	before := must[[]byte](t)(os.ReadFile(path))

	wantErr(t, r.Destroy(ids[1], 99), ErrUnknownKey)
	must[[]byte](t)(r.Key(ids[1])) // all or none
	if err := r.Destroy(ids[1], ids[2], ids[1]); err != nil {
		t.Fatal(err)
	}
	after := must[[]byte](t)(os.ReadFile(path))
	for _, id := range ids[1:3] {
		_, err := r.Key(id)
		wantErr(t, err, ErrDestroyed)
		old := before[slotOffset(id):][:slotSize]
		if bytes.Contains(after, old[slotNonce:slotNonce+16]) {
			t.Errorf("the wrapped key %d is still in the file", id)
		}
	}
	if !bytes.Equal(kept, must[[]byte](t)(r.Key(ids[0]))) {
		t.Error("another key changed")
	}
	// The other process has it cached until it hears of it.
	other.Forget(ids[1])
	_, err := other.Key(ids[1])
	wantErr(t, err, ErrDestroyed)
	if kind := must[Kind](t)(other.Kind(ids[1])); kind != Subject {
		t.Errorf("kind of a destroyed key %v", kind)
	}
	if got := must[[]KeyID](t)(other.IDs(Subject)); fmt.Sprint(got) != "[1 4]" {
		t.Errorf("live keys %v", got)
	}
	if err := other.Destroy(ids[1]); err != nil {
		t.Errorf("to destroy again: %v", err)
	}
	if id := must[KeyID](t)(other.New(Subject)); id != 5 {
		t.Errorf("an id was used again: %d", id)
	}
	wantErr(t, r.SetNamed("x", ids[1]), ErrDestroyed)
}

func TestNames(t *testing.T) {
	r, path := tempRing(t)
	other := reopen(t, path, Passphrase(secretPhrase))
	ids := must[[]KeyID](t)(r.Reserve(View, maxNames+1))
	for i := range maxNames {
		if err := r.SetNamed(fmt.Sprintf("view/%d", i), ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	wantErr(t, r.SetNamed("one-more", ids[0]), ErrInvalid)
	wantErr(t, r.SetNamed("view/0", 9999), ErrUnknownKey)
	if err := other.SetNamed("view/0", ids[maxNames]); err != nil {
		t.Fatal(err)
	}
	if err := other.SetNamed("view/1", 0); err != nil {
		t.Fatal(err)
	}
	for _, ring := range []*Ring{r, other, reopen(t, path, Passphrase(secretPhrase))} {
		if got := must[KeyID](t)(ring.Named("view/0")); got != ids[maxNames] {
			t.Errorf("view/0 is key %d", got)
		}
		if got := must[KeyID](t)(ring.Named("view/2")); got != ids[2] {
			t.Errorf("view/2 is key %d", got)
		}
		for _, gone := range []string{"view/1", "nothing"} {
			_, err := ring.Named(gone)
			wantErr(t, err, ErrUnknownKey)
		}
		must[[]byte](t)(ring.Key(ids[3]))
	}
}

func TestChangeRoot(t *testing.T) {
	r, path := tempRing(t)
	ids := must[[]KeyID](t)(r.Reserve(Subject, 3))
	key := must[[]byte](t)(r.Key(ids[0]))
	if err := errors.Join(r.Destroy(ids[1]), r.SetNamed("first", ids[0])); err != nil {
		t.Fatal(err)
	}
	other := reopen(t, path, Passphrase(secretPhrase))
	if err := os.Link(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	random := bytes.Repeat([]byte{0xaa}, 40)
	file := writeKeyFile(t, random)
	if err := r.ChangeRoot(KeyFile(file)); err != nil {
		t.Fatal(err)
	}
	if old := must[[]byte](t)(os.ReadFile(path + ".old")); !allZero(old[:headerSize]) {
		t.Error("the former header is still on the disk")
	}
	_, err := Open(path, Passphrase(secretPhrase))
	wantErr(t, err, ErrPassphrase)
	_, err = other.Key(ids[0])
	wantErr(t, err, ErrPassphrase)
	_, err = other.New(Facts)
	wantErr(t, err, ErrPassphrase)
	for _, ring := range []*Ring{r, reopen(t, path, KeyFile(file))} {
		if !bytes.Equal(key, must[[]byte](t)(ring.Key(ids[0]))) {
			t.Error("the key changed with the root")
		}
		_, err = ring.Key(ids[1])
		wantErr(t, err, ErrDestroyed)
		if id := must[KeyID](t)(ring.Named("first")); id != ids[0] {
			t.Errorf("name points to %d", id)
		}
	}
	if err := r.ChangeRoot(Passphrase([]byte("new"))); err != nil {
		t.Fatal(err)
	}
	if id := must[KeyID](t)(reopen(t, path, Passphrase([]byte("new"))).New(Facts)); id != 4 {
		t.Errorf("next id %d", id)
	}
}

func TestClose(t *testing.T) {
	r, _ := tempRing(t)
	id := must[KeyID](t)(r.New(Facts))
	root := r.root
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if !allZero(root) || len(r.cache.keys) != 0 {
		t.Error("keys are left in memory")
	}
	_, err := r.Key(id)
	wantErr(t, err, ErrClosed)
	_, err = r.New(Facts)
	wantErr(t, err, ErrClosed)
	_, err = r.Named("x")
	wantErr(t, err, ErrClosed)
	wantErr(t, r.Destroy(id), ErrClosed)
	wantErr(t, r.ChangeRoot(Passphrase(secretPhrase)), ErrClosed)
}

func TestCacheIsBounded(t *testing.T) {
	r, _ := tempRing(t)
	r.cache.size = 8
	ids := must[[]KeyID](t)(r.Reserve(Subject, 100))
	for range 3 {
		for _, id := range ids {
			must[[]byte](t)(r.Key(id))
		}
	}
	if n := len(r.cache.keys); n != 8 {
		t.Errorf("%d keys are cached", n)
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	r, path := tempRing(t)
	id := must[KeyID](t)(r.New(Facts))
	material := []byte("0123456789abcdefghijklmnopqrst\x00\x01\x02\x03")
	file := writeKeyFile(t, material)
	secrets := [][]byte{secretPhrase, material, r.root, r.keys.header[:], must[[]byte](t)(r.Key(id))}
	var out strings.Builder
	values := []any{r, *r.head, Passphrase(secretPhrase), KeyFile(file), Facts, id, struct{ R any }{r}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range values {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "ring", r, "root", Passphrase(secretPhrase))
	_, err := Open(path, Passphrase([]byte("wrong phrase")))
	fmt.Fprintln(&out, err)
	_, err = Open(path, KeyFile(file))
	fmt.Fprintln(&out, err)
	_, err = Create(path, Passphrase(secretPhrase), cheap)
	fmt.Fprintln(&out, err)
	damage(t, path, slotOffset(id)+20, 1)
	r.Forget(id)
	_, err = r.Key(id)
	fmt.Fprintln(&out, err, r.SetNamed("x", id), r.ChangeRoot(KeyFile(file)), r.ChangeRoot(Passphrase(secretPhrase)))
	secrets = append(secrets, []byte("wrong phrase"))
	for _, secret := range secrets {
		for _, form := range []string{
			string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
			base64.StdEncoding.EncodeToString(secret), strings.Trim(fmt.Sprint(secret), "[]"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("printed: %q", form)
			}
		}
	}
}

// damage flips bits of one byte of the file.
func damage(t *testing.T, path string, at int64, bits byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bits
	if _, err := file.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// TestRingIsAMapOfKeys holds the ring against a model.
func TestRingIsAMapOfKeys(t *testing.T) {
	folder := t.TempDir()
	var roots []Root // key files, for argon2id takes long
	for i := range byte(3) {
		roots = append(roots, KeyFile(writeKeyFile(t, bytes.Repeat([]byte{0xf0 + i}, 32))))
	}
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(folder, fmt.Sprint(rand.Uint64()))
		root := roots[0]
		unflushed := func(o *options) { o.sync = func(*os.File) error { return nil } } // for speed
		r, err := Create(path, root, unflushed)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		keys, names := map[KeyID]string{}, map[string]KeyID{}
		anyID := rapid.Custom(func(t *rapid.T) KeyID { return KeyID(rapid.IntRange(0, len(keys)+1).Draw(t, "id")) })
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				ids, err := r.Reserve(Subject, rapid.IntRange(1, 3).Draw(t, "n"))
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range ids {
					key, err := r.Key(id)
					if err != nil || int(id) != len(keys)+1 {
						t.Fatal(id, err)
					}
					keys[id] = string(key)
				}
			},
			"destroy": func(t *rapid.T) {
				id := anyID.Draw(t, "id")
				_, known := keys[id]
				if err := r.Destroy(id); (err == nil) != known {
					t.Fatal(id, err)
				}
				if known {
					keys[id] = ""
				}
			},
			"name": func(t *rapid.T) {
				id, name := anyID.Draw(t, "id"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
				// A name may go on pointing to a key that was destroyed since.
				allowed := id == 0 || keys[id] != "" || names[name] == id
				if err := r.SetNamed(name, id); (err == nil) != allowed {
					t.Fatal(id, err)
				}
				if allowed {
					names[name] = id
				}
			},
			"change root": func(t *rapid.T) {
				root = rapid.SampledFrom(roots).Draw(t, "root")
				if err := r.ChangeRoot(root); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				_ = r.Close()
				if r, err = Open(path, root, unflushed); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				for id, want := range keys {
					got, err := r.Key(id)
					if want == "" && !errors.Is(err, ErrDestroyed) || want != "" && string(got) != want {
						t.Fatal(id, err)
					}
				}
				for _, name := range []string{"a", "b"} {
					if got, _ := r.Named(name); got != names[name] {
						t.Fatalf("%s is %d, want %d", name, got, names[name])
					}
				}
			},
		})
	})
}

// resum makes the header's checksum right, as one who tampers would.
func resum(b []byte) {
	sum := sha256.Sum256(b[:atChecksum])
	copy(b[atChecksum:headerSize], sum[:])
}

// A destroyed slot says why, in every process and after every rewriting.
func TestNotes(t *testing.T) {
	r, path := tempRing(t)
	ids := must[[]KeyID](t)(r.Reserve(Subject, 3))
	why, other := Note{1, 2, 31: 3}, Note{9}
	if err := errors.Join(r.DestroyFor(why, ids[0]), r.Destroy(ids[1])); err != nil {
		t.Fatal(err)
	}
	noted := func(r *Ring, id KeyID, want Note, gone bool) {
		t.Helper()
		note, is, err := r.Destroyed(id)
		if err != nil || note != want || is != gone {
			t.Errorf("key %d: %x, %t, %v; want %x, %t", id, note, is, err, want, gone)
		}
	}
	for _, ring := range []*Ring{r, reopen(t, path, Passphrase(secretPhrase))} {
		noted(ring, ids[0], why, true)
		noted(ring, ids[1], Note{}, true)
		noted(ring, ids[2], Note{}, false)
		_, err := ring.Key(ids[0])
		wantErr(t, err, ErrDestroyed)
	}
	// The zero note changes nothing, another takes the place of one.
	if err := errors.Join(r.Destroy(ids[0]), r.DestroyFor(other, ids[1])); err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	noted(r, ids[0], why, true)
	noted(r, ids[1], other, true)
	if _, _, err := r.Destroyed(99); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("an unknown key: %v", err)
	}
}

// A new book key wraps the same keys; slots of the former file open no more.
func TestRotate(t *testing.T) {
	r, path := tempRing(t)
	ids := must[[]KeyID](t)(r.Reserve(Subject, 3))
	key := must[[]byte](t)(r.Key(ids[0]))
	if err := errors.Join(r.Destroy(ids[1]), r.SetNamed("y", ids[0]), r.SetNamed("x", ids[0])); err != nil {
		t.Fatal(err)
	}
	other := reopen(t, path, Passphrase(secretPhrase))
	before := must[[]byte](t)(os.ReadFile(path))
	listed, epoch, err := r.List()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(); err != nil {
		t.Fatal(err)
	}
	again, newer, err := other.List()
	if err != nil || newer != epoch+1 || !reflect.DeepEqual(again, listed) {
		t.Errorf("epoch %d after %d: %v, %v", newer, epoch, again, err)
	}
	want := []Info{{ids[0], Subject, false, []string{"x", "y"}}, {ids[1], Subject, true, nil}, {ids[2], Subject, false, nil}}
	if !reflect.DeepEqual(again, want) {
		t.Errorf("listed %v, want %v", again, want)
	}
	for _, ring := range []*Ring{r, other, reopen(t, path, Passphrase(secretPhrase))} {
		if !bytes.Equal(key, must[[]byte](t)(ring.Key(ids[0]))) {
			t.Error("a key changed")
		}
	}
	after := must[[]byte](t)(os.ReadFile(path))
	for _, id := range ids {
		if bytes.Equal(before[slotOffset(id):][:slotSize], after[slotOffset(id):][:slotSize]) {
			t.Errorf("slot %d is wrapped as before", id)
		}
	}
}

func TestWantsKeyFile(t *testing.T) {
	_, path := tempRing(t)
	if file, err := WantsKeyFile(path); err != nil || file {
		t.Errorf("with a passphrase: %t, %v", file, err)
	}
	r := reopen(t, path, Passphrase(secretPhrase))
	if err := r.ChangeRoot(KeyFile(writeKeyFile(t, bytes.Repeat([]byte{7, 200}, 20)))); err != nil {
		t.Fatal(err)
	}
	if file, err := WantsKeyFile(path); err != nil || !file {
		t.Errorf("with a key file: %t, %v", file, err)
	}
	_, err := WantsKeyFile(path + "2")
	wantErr(t, err, ErrMissing)
}
