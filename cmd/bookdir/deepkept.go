package bookdir

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/domain/audit"
	"github.com/daybook-ledger/daybook/domain/book"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// deepKey is the row, beside the states of the replay, that keeps the rest of a deep
// verification.
const deepKey = "deep/2"

// keptDeep is what a deep verification keeps besides the states of its replay: after
// a page that was proved, with nothing found so far.
type keptDeep struct {
	// Verified is what the shallow part of the check remembers in clear.
	Verified verified          `json:"verified"`
	Periods  *audit.Periods    `json:"periods"`
	Attested []keptAttestation `json:"attested"`
	Compared int               `json:"compared"`
}

type keptAttestation struct {
	book.Attestation
	Page     uint64 `json:"page"`
	Position uint64 `json:"position"`
}

// of reports whether it was kept with what the folder remembers of the shallow part.
func (k *keptDeep) of(v verified) bool {
	return k != nil && v.Size > 0 && reflect.DeepEqual(k.Verified, v)
}

// Keep keeps what the verification comes to in the book's folder, sealed under a key
// that follows from the writer's state key: that is destroyed with each erasure, so
// that nothing that was kept outlives one. With resume it goes on from what an earlier
// verification kept, if that is there and whole. Where another verification has it, or
// the folder may not be written, nothing is kept.
func (d *Deep) Keep(resume bool) error {
	unlock, err := lockDeep(d.link.dir)
	if err != nil || unlock == nil {
		return err
	}
	key, err := d.keptKey()
	if err != nil || key == nil {
		unlock()
		return err
	}
	defer clear(key)
	path := filepath.Join(d.link.dir, "verified.states")
	if resume {
		file, err := state.OpenSummed(path, key)
		if err == nil && d.resume(file) {
			return d.use(file, unlock)
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil && !errors.Is(err, state.ErrDamaged) {
			unlock()
			return err
		}
	}
	file, err := beginStates(path, key)
	if err != nil {
		unlock()
		return err
	}
	d.kept, d.replayer = new(keptDeep), ledger.NewReplayer(d.link.info.Book, file)
	return d.use(file, unlock)
}

// beginStates begins an empty file.
func beginStates(path string, key []byte) (*state.File, error) {
	if err := state.Remove(path); err != nil {
		return nil, err
	}
	return state.OpenSummed(path, key)
}

// use puts a file in the place of the one that nobody keeps.
func (d *Deep) use(file *state.File, unlock func()) error {
	old := d.file
	d.file, d.unlock = file, unlock
	return old.Close()
}

// resume takes what a file keeps, and reports whether there is anything.
func (d *Deep) resume(file *state.File) bool {
	data, found, err := file.Get([]byte(deepKey))
	var k keptDeep
	if err != nil || !found || json.Unmarshal(data, &k) != nil ||
		k.Verified.Size == 0 || k.Periods == nil || k.Compared > len(k.Attested) {
		return false
	}
	replayer, err := ledger.ResumeReplayer(d.link.info.Book, file)
	if err != nil {
		return false
	}
	d.kept, d.replayer, d.periods, d.compared = &k, replayer, k.Periods, k.Compared
	for _, a := range k.Attested {
		d.attested = append(d.attested, attestation{a.Attestation, a.Page, a.Position})
	}
	return true
}

// restart forgets what was kept, and begins at the beginning.
func (d *Deep) restart() error {
	if d.kept == nil || d.kept.Verified.Size == 0 {
		return nil
	}
	d.kept = new(keptDeep)
	d.periods, d.compared, d.attested = audit.NewPeriods(), 0, nil
	if err := d.file.Close(); err != nil {
		return err
	}
	d.file = nil
	key, err := d.keptKey()
	if err != nil {
		return err
	}
	defer clear(key)
	if d.file, err = beginStates(filepath.Join(d.link.dir, "verified.states"), key); err == nil {
		d.replayer = ledger.NewReplayer(d.link.info.Book, d.file)
	}
	return err
}

// write begins to write the states that wait, after so many commits, and with them what is to
// be kept. Where that is nil, as after something was found, what was kept before
// counts no more.
func (d *Deep) write(size uint64, keep *verified) error {
	if d.kept == nil {
		return d.replayer.Write(size)
	}
	k := keptDeep{}
	if keep != nil {
		k = keptDeep{Verified: *keep, Periods: d.periods, Compared: d.compared}
		for _, a := range d.attested {
			k.Attested = append(k.Attested, keptAttestation{a.Attestation, a.page, a.position})
		}
	}
	data, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return d.replayer.Write(size, state.Row{Key: []byte(deepKey), Value: data})
}

// keptKey is the key of what is kept; nil in a book that has no state yet.
func (d *Deep) keptKey() ([]byte, error) {
	id, err := d.link.keys.Named(stateKey)
	if err != nil {
		return nil, nil //nolint:nilerr // there is no key of that name
	}
	secret, err := d.link.keys.Key(id)
	if err != nil {
		if errors.Is(err, keyring.ErrDestroyed) {
			return nil, nil // an erasure is not at its end yet
		}
		return nil, err
	}
	defer clear(secret)
	return hkdf.Key(sha256.New, secret, nil, "daybook/deep/1", keyring.KeySize)
}

// lockDeep lets one verification at a time keep; unlock is nil where another does, or
// where the folder may not be written.
func lockDeep(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "verified.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("bookdir: %w", err)
	}
	if err := flock(f); err != nil {
		return nil, f.Close()
	}
	return func() { _ = f.Close() }, nil
}
