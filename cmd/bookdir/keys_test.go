package bookdir

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
)

func openAdmin(t *testing.T, dir string, o Options) *Admin {
	t.Helper()
	admin, err := OpenAdmin(t.Context(), dir, "", o)
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

// rotate has another key sign a book's log from now on.
func rotate(t *testing.T, dir string, o Options) {
	t.Helper()
	admin := openAdmin(t, dir, o)
	if _, _, err := admin.Rotate(false); err != nil {
		t.Fatal(err)
	}
	if err := admin.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// While keys are changed no other process is served, so that nothing is signed by the
// old key beyond where the new one begins.
func TestNobodyIsServedWhileKeysAreChanged(t *testing.T) {
	dir, o := create(t)
	admin := openAdmin(t, dir, o)
	o.Wait = 50 * time.Millisecond
	if _, err := Open(t.Context(), dir, o); !errors.Is(err, ErrBusy) {
		t.Errorf("a command beside a rotation: %v", err)
	}
	if _, err := OpenLog(t.Context(), dir, o.Wait, o.Log); !errors.Is(err, ErrBusy) {
		t.Errorf("a reader beside a rotation: %v", err)
	}
	_, _, err := admin.Rotate(false)
	if err := errors.Join(err, admin.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	inBook(t, dir, o, func(b *Book) {
		if _, err := b.Do(t.Context(), register("Ada")); err != nil {
			t.Error(err)
		}
	})
}

// The new key begins at the log's own end, also where not all that is there was
// acknowledged.
func TestRotatingBesideAnArchiveThatIsAway(t *testing.T) {
	a := newArchived(t)
	a.enter(t, true, "Ada")
	away := a.to + ".away"
	b, err := Open(t.Context(), a.dir, a.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RequireArchive(true); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Do(t.Context(), register("Bob")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(a.to, away); err != nil {
		t.Fatal(err)
	}
	e := register("Cy")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := b.Do(ctx, e); !errors.Is(err, ledger.ErrOutcomeUnknown) {
		t.Fatalf("a receipt without the archive: %v", err)
	}
	_ = b.Close(ctx) // which has ended
	admin := openAdmin(t, a.dir, a.options)
	_, size, err := admin.Rotate(false)
	if err := errors.Join(err, admin.Close(context.Background())); err != nil || size != 4 {
		t.Fatalf("rotated at size %d, %v", size, err)
	}
	if err := os.Rename(away, a.to); err != nil {
		t.Fatal(err)
	}
	a.with(t, func(b *Book) {
		if again, err := b.Do(t.Context(), e); err != nil || !again.Repeated {
			t.Errorf("repeated: %+v, %v", again, err)
		}
	})
}

// A list of keys that was read just before a rotation is read again.
func TestAListOfKeysThatIsOld(t *testing.T) {
	dir, o := create(t)
	was, err := ReadInfo(dir)
	if err != nil {
		t.Fatal(err)
	}
	admin := openAdmin(t, dir, o)
	_, _, err = admin.Rotate(false)
	if err := errors.Join(err, admin.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	if _, err := hold(t.Context(), dir, was, o); !again(err) {
		t.Errorf("as the holder: %v", err)
	}
	inBook(t, dir, o, func(*Book) {
		if _, err := join(t.Context(), dir, was, o); !again(err) {
			t.Errorf("beside the holder: %v", err)
		}
	})
}

// Taking the identity offline is cut short after the key is destroyed, and before its
// name is taken away.
func TestTakingTheIdentityOfflineCutShort(t *testing.T) {
	dir, o := create(t)
	admin := openAdmin(t, dir, o)
	ring := admin.link.keys
	id, err := ring.Named(identityKey)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity")
	seed, err := ring.Key(id)
	if err == nil {
		err = writeIdentity(file, admin.Info.Identity, seed)
	}
	if err := errors.Join(err, ring.Destroy(id), admin.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	admin = openAdmin(t, dir, o)
	if _, _, err := admin.Rotate(false); !errors.Is(err, ErrOffline) {
		t.Errorf("rotated without the identity: %v", err)
	}
	if err := admin.TakeOffline(file + "2"); !errors.Is(err, ErrOffline) {
		t.Errorf("taken offline again: %v", err)
	}
	if err := admin.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if admin, err = OpenAdmin(t.Context(), dir, file, o); err != nil {
		t.Fatal(err)
	}
	_, _, err = admin.Rotate(false)
	if err := errors.Join(err, admin.Close(context.Background())); err != nil {
		t.Error(err)
	}
}

// fewRandom gives no more random bytes once it is told how often it still may.
type fewRandom struct{ left *int }

func (f fewRandom) Read(b []byte) (int, error) {
	if f.left != nil {
		if *f.left == 0 {
			return 0, errors.New("no random bytes")
		}
		*f.left--
	}
	return rand.Read(b)
}

// The identity key is destroyed before its name is taken away: the ring fails in
// between.
func TestTheIdentityIsDestroyedFirst(t *testing.T) {
	dir, o := create(t)
	random := &fewRandom{}
	o.RingOptions = []keyring.Option{keyring.WithRand(random)}
	admin := openAdmin(t, dir, o)
	id, err := admin.link.keys.Named(identityKey)
	if err != nil {
		t.Fatal(err)
	}
	random.left = new(1)
	if err := admin.TakeOffline(filepath.Join(t.TempDir(), "identity")); err == nil {
		t.Error("nothing failed")
	}
	if _, gone, err := admin.link.keys.Destroyed(id); !gone || err != nil {
		t.Errorf("destroyed: %t, %v", gone, err)
	}
	if err := admin.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// A reader who waits for a rotation to end has the list of after it.
func TestAReaderWaitsForARotation(t *testing.T) {
	dir, o := create(t)
	admin := openAdmin(t, dir, o)
	serial := make(chan uint64, 1)
	go func() {
		defer close(serial)
		l, err := OpenLog(context.Background(), dir, 0, o.Log)
		if err != nil {
			t.Error(err)
			return
		}
		list, _, err := l.Info.KeyList()
		if err := errors.Join(err, l.Close(context.Background())); err != nil {
			t.Error(err)
		}
		serial <- list.Serial
	}()
	time.Sleep(50 * time.Millisecond) // it has read the list, and waits
	_, _, err := admin.Rotate(false)
	if err := errors.Join(err, admin.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	if got := <-serial; got != 2 {
		t.Errorf("the reader has list %d", got)
	}
}
