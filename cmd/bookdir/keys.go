package bookdir

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
)

// The keys that a rotation and the identity have in the ring.
const (
	// nextKey is a signing key that a rotation made: the one in use once the
	// list of keys names it.
	nextKey = "signing-next"
	// identityKey is the identity's, until it is taken offline.
	identityKey = "identity"
)

var (
	// ErrKeysMissing means that the book's list of keys is missing.
	ErrKeysMissing = errors.New("bookdir: the book's list of keys is missing")
	// ErrNoList means that the book was made before books had an identity.
	ErrNoList = errors.New("bookdir: the book has no list of keys yet")
	// ErrOffline means that the identity key is not in the ring.
	ErrOffline = errors.New("bookdir: the identity key is kept offline")
)

const (
	// identityMark begins the file of an identity key.
	identityMark = "PRIVATE+KEY+"
	// maxIdentity is more bytes than such a file has.
	maxIdentity = 4 << 10
)

func keysPath(dir string) string { return filepath.Join(dir, "keys") }

// identityName is the identity's name: that of the book, whatever the epoch of
// its log.
func (i Info) identityName() string {
	return path.Dir(i.Origin) + "/identity"
}

// readKeys reads the list of keys beside a book.json, if the book has one.
func (i *Info) readKeys(dir string) error {
	signed, err := os.ReadFile(keysPath(dir))
	if errors.Is(err, fs.ErrNotExist) && i.Identity == "" {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrKeysMissing, keysPath(dir))
	}
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	return i.takeKeys(signed)
}

// takeKeys takes a signed list of keys, which must be the book's.
func (i *Info) takeKeys(signed []byte) error {
	list, err := transparency.ParseKeyList(signed)
	if err != nil {
		return err
	}
	verifier, err := list.Verifier()
	if err != nil {
		return err
	}
	first, err := firstKey(list)
	if err != nil {
		return err
	}
	mine := list.Origin == i.Origin && first == i.Key && verifier.Epoch(page.MaxSize) == i.Epoch
	if !mine || i.Identity != "" && list.Identity != i.Identity {
		return fmt.Errorf("%w: the list of keys is another book's", ErrDamaged)
	}
	i.signed, i.list = signed, &list
	return nil
}

// firstKey is the first key of a list's epoch, the one that book.json names.
func firstKey(list transparency.KeyList) (string, error) {
	at := slices.IndexFunc(list.Keys, func(k page.KeyRange) bool { return k.Origin == list.Origin })
	first, err := page.NewVerifier(list.Origin, page.ForEver(list.Keys[at].Public))
	if err != nil {
		return "", err
	}
	return first.VerifierKey(), nil
}

// trust takes a signed list of keys from elsewhere in place of its own, unless that is
// as new; one of a later epoch with the name that the log has there.
func (i *Info) trust(signed []byte) error {
	list, err := transparency.ParseKeyList(signed)
	if err != nil {
		return err
	}
	if _, err := list.Follow(*i.list); err != nil || list.Serial <= i.list.Serial {
		return err
	}
	verifier, err := list.Verifier()
	if err != nil {
		return err
	}
	i.Origin, i.Epoch = list.Origin, verifier.Epoch(page.MaxSize)
	if i.Key, err = firstKey(list); err != nil {
		return err
	}
	return i.takeKeys(signed)
}

// KeyList is the book's list of keys, and the list as it is signed. ErrNoList
// for a book of before there were any, until it is next opened with its root key.
func (i Info) KeyList() (transparency.KeyList, []byte, error) {
	if i.list == nil {
		return transparency.KeyList{}, nil, ErrNoList
	}
	return *i.list, i.signed, nil
}

// Witnesses are those of the book; none of one without a list of keys.
func (i Info) Witnesses() transparency.Witnesses {
	if i.list == nil {
		return transparency.Witnesses{}
	}
	return i.list.Witnesses
}

// certify gives a book an identity and its first list of keys.
func (i *Info) certify(dir string, ring *keyring.Ring) error {
	identity, err := newIdentity(ring)
	if err != nil {
		return err
	}
	defer clear(identity)
	vkey, err := note.NewEd25519VerifierKey(i.identityName(), identity.Public().(ed25519.PublicKey))
	if err != nil {
		return fmt.Errorf("bookdir: %w", err)
	}
	verifier, err := page.ParseVerifierKey(i.Key)
	if err != nil {
		return err
	}
	list := transparency.KeyList{Identity: vkey, Origin: i.Origin, Serial: 1, Keys: verifier.Ranges()}
	if err := i.put(dir, list, identity); err != nil {
		return err
	}
	i.Identity = vkey
	return nil
}

// newIdentity makes the identity key, or gives the one that a certification
// which was cut short has made.
func newIdentity(ring *keyring.Ring) (ed25519.PrivateKey, error) {
	seed, err := named(ring, identityKey)
	if errors.Is(err, keyring.ErrUnknownKey) {
		var id keyring.KeyID
		if id, err = ring.New(keyring.Signing); err == nil {
			err = ring.SetNamed(identityKey, id)
		}
		if err == nil {
			seed, err = ring.Key(id)
		}
	}
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return ed25519.NewKeyFromSeed(seed), nil
}

// put signs a list and puts it in the place of the one before.
func (i *Info) put(dir string, list transparency.KeyList, identity ed25519.PrivateKey) error {
	signed, err := list.Sign(identity)
	if err != nil {
		return err
	}
	if err := writeDurably(keysPath(dir), signed, 0o644); err != nil {
		return err
	}
	i.list, i.signed = &list, signed
	return nil
}

// signer gives the signer of the log by the newest key of the list. A rotation
// that was cut short after the list was written is brought to its end.
func (l *link) signer(ring *keyring.Ring) (*page.Signer, error) {
	verifier, err := l.info.Verifier()
	if err != nil {
		return nil, err
	}
	if l.info.ReadOnly {
		return verifier.Silent(), nil
	}
	for _, name := range []string{signingKey, nextKey} {
		seed, err := named(ring, name)
		if errors.Is(err, keyring.ErrUnknownKey) && name == nextKey {
			break
		}
		if err != nil {
			return nil, err
		}
		signer, err := verifier.Signer(ed25519.NewKeyFromSeed(seed))
		clear(seed)
		if err != nil {
			continue
		}
		if name == nextKey {
			if err := use(ring); err != nil {
				return nil, err
			}
		}
		return signer, nil
	}
	// The list may be the one of before a rotation that has ended since.
	if err := l.unchanged(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: its public key is not that of the ring", ErrDamaged)
}

// use makes the next signing key the one in use.
func use(ring *keyring.Ring) error {
	id, err := ring.Named(nextKey)
	if err != nil {
		return err
	}
	return ring.SetNamed(signingKey, id)
}

// Admin is a book that is held to change its keys. Nobody else uses it meanwhile: a
// command that was signed by the old key beyond its last size would make the log one
// that cannot be opened.
type Admin struct {
	Info Info
	dir  string
	link *link
	// size is the log's, to which nobody adds meanwhile.
	size uint64
	// identity is the identity key where it was given; else it is in the ring.
	identity ed25519.PrivateKey
}

// OpenAdmin holds a book to change its keys. jetstream.ErrHeld while another
// process holds it. identity is the file of the identity key, "" where it is in
// the ring.
func OpenAdmin(ctx context.Context, dir, identity string, o Options) (*Admin, error) {
	info, err := ReadInfo(dir)
	if err != nil {
		return nil, err
	}
	if info.ReadOnly {
		return nil, refuseReadOnly()
	}
	a := &Admin{dir: dir}
	if identity != "" {
		if a.identity, err = readIdentity(identity, info.Identity); err != nil {
			return nil, err
		}
	}
	o.alone = true
	if a.link, err = hold(ctx, dir, info, o); err != nil {
		return nil, err
	}
	a.Info = a.link.info
	// The log's own end: what was acknowledged may be less, as where an archive that
	// receipts wait for was away, and the old key has signed what follows.
	last, err := (&Log{Store: a.link.store, Verifier: a.link.signs.Verifier()}).Last(ctx)
	if err != nil {
		return nil, errors.Join(err, a.Close(context.WithoutCancel(ctx)))
	}
	a.size = last.Size
	return a, nil
}

// Close releases the book.
func (a *Admin) Close(ctx context.Context) error {
	clear(a.identity)
	return a.link.close(ctx)
}

// key gives the identity key. The caller clears it.
func (a *Admin) key() (ed25519.PrivateKey, error) {
	if a.identity != nil {
		return append(ed25519.PrivateKey(nil), a.identity...), nil
	}
	return identityIn(a.link.keys)
}

// identityIn gives the identity key that is in a ring. ErrOffline where it is not, or
// only its name still is.
func identityIn(ring *keyring.Ring) (ed25519.PrivateKey, error) {
	seed, err := named(ring, identityKey)
	if errors.Is(err, keyring.ErrUnknownKey) || errors.Is(err, keyring.ErrDestroyed) {
		return nil, ErrOffline
	}
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return ed25519.NewKeyFromSeed(seed), nil
}

// change signs a list made from the present one.
func (a *Admin) change(to func(transparency.KeyList) transparency.KeyList) error {
	identity, err := a.key()
	if err != nil {
		return err
	}
	defer clear(identity)
	list, _, err := a.Info.KeyList()
	if err != nil {
		return err
	}
	next := to(list)
	if _, err := list.Follow(next); err != nil {
		return err
	}
	return a.Info.put(a.dir, next, identity)
}

// Rotate makes a new signing key sign from the log's present size on. After a
// compromise the old key's checkpoints count only as far as witnesses cosigned
// them. It gives that size and the present one. The book must be opened again.
func (a *Admin) Rotate(compromised bool) (counts, size uint64, err error) {
	size = a.size
	counts = size
	if compromised {
		if counts, err = a.cosigned(); err != nil {
			return 0, 0, err
		}
	}
	if identity, err := a.key(); err != nil { // before a key is made in vain
		return 0, 0, err
	} else {
		clear(identity)
	}
	ring := a.link.keys
	id, err := ring.New(keyring.Signing)
	if err != nil {
		return 0, 0, err
	}
	if err := ring.SetNamed(nextKey, id); err != nil {
		return 0, 0, err
	}
	seed, err := ring.Key(id)
	if err != nil {
		return 0, 0, err
	}
	defer clear(seed)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	err = a.change(func(l transparency.KeyList) transparency.KeyList { return l.Rotate(public, size, counts) })
	if err != nil {
		return 0, 0, err
	}
	return counts, size, use(ring)
}

// cosigned is the size of the newest checkpoint that the witnesses cosigned; 0
// without one.
func (a *Admin) cosigned() (uint64, error) {
	kept, err := ReadCosigned(a.dir, a.Info)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return kept.Head.Size, err
}

// TakeOffline writes the identity key to a file and removes it from the ring.
func (a *Admin) TakeOffline(file string) error {
	identity, err := identityIn(a.link.keys)
	if err != nil {
		return err
	}
	defer clear(identity)
	seed := identity.Seed()
	defer clear(seed)
	if err := writeIdentity(file, a.Info.Identity, seed); err != nil {
		return err
	}
	return destroyNamed(a.link.keys, identityKey)
}

// writeIdentity makes the file of an identity key: one line, the note form of a
// private key. It never replaces a file.
func writeIdentity(file, vkey string, seed []byte) error {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, _, _ := strings.Cut(rest, "+")
	key := append([]byte{1}, seed...)
	defer clear(key)
	f, err := NewFile(file, 0o600)
	if err != nil {
		return fmt.Errorf("bookdir: the identity key: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s%s+%s+%s\n", identityMark, name, hash, base64.StdEncoding.EncodeToString(key))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("bookdir: the identity key: %w", err)
	}
	return syncDir(filepath.Dir(file))
}

// readIdentity reads the file of an identity key, which must be that of vkey.
func readIdentity(file, vkey string) (ed25519.PrivateKey, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("bookdir: the identity key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxIdentity))
	if err != nil {
		return nil, fmt.Errorf("bookdir: the identity key: %w", err)
	}
	rest, marked := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), identityMark)
	fields := strings.Split(rest, "+")
	if !marked || len(fields) < 3 {
		return nil, fmt.Errorf("bookdir: %s: %w", file, ErrNotIdentity)
	}
	// The base64 may have a plus sign of its own.
	key, err := base64.StdEncoding.DecodeString(strings.Join(fields[2:], "+"))
	if err != nil || len(key) != 1+ed25519.SeedSize || key[0] != 1 {
		return nil, fmt.Errorf("bookdir: %s: %w", file, ErrNotIdentity)
	}
	private := ed25519.NewKeyFromSeed(key[1:])
	clear(key)
	if mine, err := note.NewEd25519VerifierKey(fields[0], private.Public().(ed25519.PublicKey)); err != nil || mine != vkey {
		return nil, fmt.Errorf("bookdir: %s: %w", file, ErrNotIdentity)
	}
	return private, nil
}

// ErrNotIdentity means that a file does not hold the identity key of the book.
var ErrNotIdentity = errors.New("not the identity key of this book")
