package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
)

const origin = "example.com/books/acme"

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) ed25519.PublicKey { return key(seed).Public().(ed25519.PublicKey) }

// log is a log that can fork.
type log struct {
	t      *testing.T
	tree   *transparency.Tree
	signer *page.Signer
}

func newLog(t *testing.T, fork string, size int) *log {
	t.Helper()
	s, err := page.NewSigner(origin, key(1))
	if err != nil {
		t.Fatal(err)
	}
	l := &log{t, transparency.NewMemory(), s}
	for i := range size {
		name := "commit"
		if i >= 3 {
			name += fork
		}
		if err := l.tree.Append(page.LeafHash(fmt.Append(nil, name, i))); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *log) request(old, size uint64) witness.Request {
	l.t.Helper()
	root, err := l.tree.RootAt(size)
	if err != nil {
		l.t.Fatal(err)
	}
	signed, err := l.signer.Checkpoint(page.Head{Size: size, Root: root})
	if err != nil {
		l.t.Fatal(err)
	}
	r := witness.Request{Old: old, Checkpoint: signed}
	if old > 0 && old < size {
		if r.Proof, err = l.tree.ProveTree(old, size); err != nil {
			l.t.Fatal(err)
		}
	}
	return r
}

func keyList(t *testing.T, identity byte, change func(transparency.KeyList) transparency.KeyList) []byte {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey("example.com/acme/identity", public(identity))
	if err != nil {
		t.Fatal(err)
	}
	l := transparency.KeyList{Identity: vkey, Origin: origin, Serial: 1, Keys: []page.KeyRange{{Public: public(1), Origin: origin, Until: page.MaxSize, Counts: page.MaxSize}}}
	signed, err := change(l).Sign(key(identity))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func same(l transparency.KeyList) transparency.KeyList { return l }

// opened opens the state in a folder until the test ends.
func opened(t *testing.T, dir string) (*witness.Folder, ed25519.PrivateKey) {
	t.Helper()
	folder, secret, err := witness.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := folder.Close(); err != nil {
			t.Error(err)
		}
	})
	return folder, secret
}

// start serves a witness over a state.
func start(t *testing.T, folder *witness.Folder, secret ed25519.PrivateKey) (witness.Client, transparency.WitnessKey) {
	t.Helper()
	w := &witness.Witness{
		Name: "witness.example/w1", Key: secret, State: folder,
		Now:   func() time.Time { return time.Unix(1_790_000_000, 0) },
		Admit: func(transparency.KeyList) bool { return true },
	}
	server := httptest.NewServer(w.Handler())
	t.Cleanup(server.Close)
	return witness.Client{URL: server.URL + "/", HTTP: server.Client()}, w.Public()
}

// told is an answer in short: "cosigned", "conflict <size>" or a status.
func told(line []byte, err error) string {
	var conflict *witness.Conflict
	var refused *witness.Refused
	switch {
	case err == nil && len(line) > 0:
		return "cosigned"
	case errors.As(err, &conflict):
		return fmt.Sprint("conflict ", conflict.Size)
	case errors.As(err, &refused):
		return fmt.Sprint(refused.Status)
	}
	return fmt.Sprint(err)
}

func TestAWitnessCosignsOnlyWhatExtends(t *testing.T) {
	dir := t.TempDir()
	folder, secret := opened(t, dir)
	c, w := start(t, folder, secret)
	good, fork := newLog(t, "", 20), newLog(t, "fork", 20)
	forged := good.request(10, 15)
	forged.Checkpoint = bytes.Replace(forged.Checkpoint, []byte("\n15\n"), []byte("\n16\n"), 1)
	unneeded := good.request(10, 10)
	unneeded.Proof = good.request(5, 10).Proof
	ctx := context.Background()
	if got := told(c.AddCheckpoint(ctx, good.request(0, 5))); got != "404" {
		t.Errorf("an unknown log: %s", got)
	}
	if err := c.AddKeys(ctx, keyList(t, 7, same)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		r    witness.Request
		want string
	}{
		{"the first", good.request(0, 5), "cosigned"},
		{"the same again", good.request(5, 5), "cosigned"},
		{"an old size", good.request(0, 10), "conflict 5"},
		{"extended", good.request(5, 10), "cosigned"},
		{"rolled back", good.request(5, 7), "conflict 10"},
		{"rolled back, as if it were new", good.request(0, 7), "conflict 10"},
		{"a fork of the same size", fork.request(10, 10), "conflict 10"},
		{"a fork that goes on", fork.request(10, 15), "422"},
		{"not signed", forged, "403"},
		{"a proof too many", unneeded, "400"},
		{"an old size beyond the new", witness.Request{Old: 30, Checkpoint: good.request(0, 20).Checkpoint}, "400"},
		{"extended after all that", good.request(10, 20), "cosigned"},
	} {
		if got := told(c.AddCheckpoint(ctx, step.r)); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	line, err := c.AddCheckpoint(ctx, good.request(20, 20))
	if err != nil {
		t.Fatal(err)
	}
	both, err := transparency.AddCosignatures(good.request(20, 20).Checkpoint, line)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := w.Cosigned(both); err != nil || at.Unix() != 1_790_000_000 {
		t.Errorf("the cosignature: %v, %v", at, err)
	}
	// It remembers, with its key, when it starts again.
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	folder, secret = opened(t, dir)
	again, same := start(t, folder, secret)
	if same.String() != w.String() {
		t.Error("another key after a restart")
	}
	if got := told(again.AddCheckpoint(ctx, good.request(0, 20))); got != "conflict 20" {
		t.Errorf("after a restart: %s", got)
	}
}

func TestAWitnessFollowsTheKeys(t *testing.T) {
	folder, secret := opened(t, t.TempDir())
	c, _ := start(t, folder, secret)
	ctx := context.Background()
	l := newLog(t, "", 20)
	if err := c.AddKeys(ctx, keyList(t, 7, same)); err != nil {
		t.Fatal(err)
	}
	if got := told(nil, c.AddKeys(ctx, keyList(t, 8, same))); got != "403" {
		t.Errorf("another identity's list: %s", got)
	}
	if got := told(nil, c.AddKeys(ctx, []byte("rubbish"))); got != "400" {
		t.Errorf("rubbish: %s", got)
	}
	if got := told(c.AddCheckpoint(ctx, l.request(0, 5))); got != "cosigned" {
		t.Fatal(got)
	}
	rotated := keyList(t, 7, func(k transparency.KeyList) transparency.KeyList { return k.Rotate(public(2), 5, 5) })
	if err := c.AddKeys(ctx, rotated); err != nil {
		t.Fatal(err)
	}
	if got := told(c.AddCheckpoint(ctx, l.request(5, 10))); got != "403" {
		t.Errorf("by the retired key: %s", got)
	}
	list, err := transparency.ParseKeyList(rotated)
	if err != nil {
		t.Fatal(err)
	}
	v, err := list.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	if l.signer, err = v.Signer(key(2)); err != nil {
		t.Fatal(err)
	}
	if got := told(c.AddCheckpoint(ctx, l.request(5, 10))); got != "cosigned" {
		t.Errorf("by the new key: %s", got)
	}
}

// Two processes that kept one state would cosign two histories.
func TestOneProcessKeepsAState(t *testing.T) {
	dir := t.TempDir()
	first, secret := opened(t, dir)
	for range 2 {
		if _, _, err := witness.OpenFolder(dir); !errors.Is(err, witness.ErrHeld) {
			t.Fatalf("opened twice: %v, want ErrHeld", err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, same := opened(t, dir); !same.Equal(secret) {
		t.Error("opened again it has another key")
	}
	if err := first.Put(origin, witness.Seen{Head: page.EmptyHead()}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("kept after it was let go of: %v", err)
	}
}

// A name stays beside the key, and a folder of before has none.
func TestAStateKeepsItsName(t *testing.T) {
	dir := t.TempDir()
	folder, _ := opened(t, dir)
	if name, err := folder.Name(); name != "" || err != nil {
		t.Errorf("at first: %q, %v", name, err)
	}
	if err := errors.Join(folder.SetName("witness.example/w1"), folder.Close()); err != nil {
		t.Fatal(err)
	}
	folder, _ = opened(t, dir)
	if name, err := folder.Name(); name != "witness.example/w1" || err != nil {
		t.Errorf("opened again: %q, %v", name, err)
	}
	for _, none := range []string{"", "\n", "w 1\n", "w+1\n", "w1\n\n"} {
		if err := os.WriteFile(filepath.Join(dir, "name"), []byte(none), 0o600); err != nil {
			t.Fatal(err)
		}
		if name, err := folder.Name(); err == nil {
			t.Errorf("%q gives the name %q", none, name)
		}
	}
}

// A state that cannot be kept cosigns nothing.
func TestNoStateNoCosignature(t *testing.T) {
	w := &witness.Witness{
		Name: "w", Key: key(9), State: &failing{keys: keyList(t, 7, same)},
		Now: func() time.Time { return time.Unix(1, 0) }, Admit: func(transparency.KeyList) bool { return false },
	}
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	c := witness.Client{URL: server.URL, HTTP: http.DefaultClient}
	if got := told(c.AddCheckpoint(context.Background(), newLog(t, "", 5).request(0, 5))); got != "500" {
		t.Errorf("%s, want 500", got)
	}
}

type failing struct{ keys []byte }

func (f *failing) Get(string) (witness.Seen, bool, error) {
	return witness.Seen{Keys: f.keys, Head: page.EmptyHead()}, true, nil
}
func (f *failing) Put(string, witness.Seen) error { return errors.New("the disk is full") }

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("old 0\n\nexample.com\n1\n"))
	f.Add([]byte("old 5\nG3xkOwScEaT7a2WCLkpeKj2lQiM2bF9FPPN2U2+b9Co=\n\nexample.com\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := witness.ParseRequest(body)
		if err == nil && !bytes.Equal(r.Marshal(), body) {
			t.Errorf("%q was read as %q", body, r.Marshal())
		}
	})
}
