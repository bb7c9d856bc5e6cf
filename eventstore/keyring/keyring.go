// Package keyring keeps a book's keys in one file. A root key, made from a
// passphrase or a key file, wraps the book key; the book key wraps one 32-byte
// key per slot. docs/FORMAT.md has the bytes.
//
// The file is a header of 1,024 bytes and one slot of 64 bytes per key, so
// that opening it costs the same whatever the number of keys, and a slot never
// lies across two disk sectors. Keys are appended, and are durable before their
// ids are given out; destroying one overwrites its slot in place. The header
// also holds a small directory of names, so that the few keys that a book
// starts from are found without looking through the slots.
//
// A change of the header (a name, the root key) writes the whole file anew
// beside the old one, under a new book key and the next epoch, and then renames
// it. So the directory needs no journal, and because the old file's header is
// overwritten once the new file stands, the slots that the old file leaves
// behind on the disk can no longer be unwrapped. It costs time in proportion to
// the number of keys, about a second for a million; names change seldom.
//
// Several processes may use one ring. Changes are made under a lock on a file
// beside it (path + ".lock"); keys that another process made are seen at once.
// A key that another process destroyed may still be in this process's cache:
// whoever learns of it from the log calls Forget.
//
// The ring detects every alteration of what it holds, but not the loss of
// slots at its end written since the last change of the header, nor an older
// copy of the whole file put in its place: the log tells which keys must be
// there.
package keyring

import (
	"errors"
	"fmt"
)

// KeySize is the length of every key in bytes.
const KeySize = 32

// MaxReserve is how many keys one call of Reserve makes at most.
const MaxReserve = 1 << 16

// KeyID names a key: the number of its slot in the ring, from 1. 0 names none.
// An id is never used again, not even after its key was destroyed.
type KeyID uint32

// Kind says what a key is for. It is bound to the key and never changes.
type Kind uint8

// The kinds of keys. The numbers are stored.
const (
	// Facts keys seal accounting facts.
	Facts Kind = 1
	// Subject keys seal the personal data of one data subject each.
	Subject Kind = 2
	// View keys encrypt a view's file.
	View Kind = 3
	// State keys are for the writer's state store.
	State Kind = 4
	// Signing keys are seeds of the log's Ed25519 key.
	Signing Kind = 5
	// Digest keys make the keyed digests of commands.
	Digest Kind = 6
	// Transport keys authenticate a book's processes to one another.
	Transport Kind = 7
)

var kindNames = [...]string{
	Facts: "facts", Subject: "subject", View: "view", State: "state",
	Signing: "signing", Digest: "digest", Transport: "transport",
}

// String names the kind.
func (k Kind) String() string {
	if !k.known() {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

func (k Kind) known() bool { return k >= Facts && k <= Transport }

// Errors that callers branch on. The errors that this package returns wrap them.
var (
	// ErrPassphrase means a wrong passphrase or key file, or one where the
	// ring wants the other.
	ErrPassphrase = errors.New("wrong passphrase or key file")
	// ErrKeyFile means that a key file cannot be used: it is missing, open to
	// others, too short, or text instead of random bytes.
	ErrKeyFile = errors.New("unusable key file")
	// ErrMissing means that there is no ring at the path.
	ErrMissing = errors.New("no key ring")
	// ErrExists means that Create found a file at the path.
	ErrExists = errors.New("a file is there already")
	// ErrDamaged means that the ring's bytes are not what was written.
	ErrDamaged = errors.New("damaged")
	// ErrNewer means that a newer version of the program wrote the ring.
	ErrNewer = errors.New("written by a newer version")
	// ErrDestroyed means that the key was destroyed.
	ErrDestroyed = errors.New("key destroyed")
	// ErrUnknownKey means that the ring has no key of that id or name.
	ErrUnknownKey = errors.New("unknown key")
	// ErrInvalid means an argument out of range: a name, a count, a kind,
	// argon2id parameters, an empty passphrase.
	ErrInvalid = errors.New("invalid argument")
	// ErrClosed means that the ring was closed.
	ErrClosed = errors.New("closed")
)
