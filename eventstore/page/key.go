package page

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// pageSuffix makes the key name and first line of pages from the origin.
const pageSuffix = "/page"

// Signer signs the pages and checkpoints of one log under its newest origin. It is
// safe for concurrent use.
type Signer struct {
	origin     string
	verifier   *Verifier
	page       signKey
	checkpoint signKey
}

// Verifier checks them. It knows every key that the log has had, and takes each
// at the sizes at which it counts. It is safe for concurrent use.
type Verifier struct {
	ranges     []KeyRange // each with its origin
	page       checkKeys
	checkpoint checkKeys
}

// KeyRange is one key of a log and where it counts. A log that never changed its
// key has one, as ForEver makes it.
type KeyRange struct {
	Public ed25519.PublicKey
	// Origin is the log's name in what the key signs; empty for that of the key
	// before. Another one than before begins a new epoch of the log, as a restore
	// does: what another copy of the log goes on to sign bears another name.
	Origin string
	// The key signs the pages from size From to size Until: MaxSize for the key
	// that is in use.
	From, Until uint64
	// Counts is the greatest size at which a checkpoint by this key counts. It is
	// Until, or less for a key that somebody else had: then the pages between are
	// vouched for by the later keys alone, whose roots are over them.
	Counts uint64
}

// ForEver is the range of a log's only key.
func ForEver(key ed25519.PublicKey) KeyRange {
	return KeyRange{Public: key, Until: MaxSize, Counts: MaxSize}
}

// NewSigner makes the signer of a log. The origin is the log's name in its
// checkpoints, by convention a URL without a schema such as
// "example.com/books/acme": 1 to MaxOrigin bytes of UTF-8 without spaces,
// control characters and plus signs, and not ending in "/page".
func NewSigner(origin string, key ed25519.PrivateKey) (*Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fail(ErrKey, 0, "a private key of %d bytes", len(key))
	}
	v, err := NewVerifier(origin, ForEver(key.Public().(ed25519.PublicKey)))
	if err != nil {
		return nil, err
	}
	return v.Signer(key)
}

// Signer makes the signer of the verifier's log from the private half of its
// newest key.
func (v *Verifier) Signer(key ed25519.PrivateKey) (*Signer, error) {
	if len(key) != ed25519.PrivateKeySize || !v.PublicKey().Equal(key.Public()) {
		return nil, fail(ErrKey, 0, "the private key is not that of the log's newest public key")
	}
	return &Signer{
		origin:     v.Origin(),
		verifier:   v,
		page:       signKey{Verifier: v.page.newest().known, key: key},
		checkpoint: signKey{Verifier: v.checkpoint.newest().known, key: key},
	}, nil
}

// Silent is a signer of the log that has no key: whatever it is to sign is
// ErrKey. It is for a copy of the log that must not go on.
func (v *Verifier) Silent() *Signer {
	return &Signer{
		origin: v.Origin(), verifier: v,
		page: signKey{Verifier: v.page.newest().known}, checkpoint: signKey{Verifier: v.checkpoint.newest().known},
	}
}

// NewVerifier makes the verifier of a log from its first origin and the keys that
// it has had, oldest first: each begins where the one before ends, the first at
// size 0, and the last is in use.
func NewVerifier(origin string, ranges ...KeyRange) (*Verifier, error) {
	if err := checkRanges(ranges); err != nil {
		return nil, err
	}
	v := &Verifier{
		ranges:     slices.Clone(ranges),
		page:       checkKeys{form: ErrForm, signature: ErrSignature},
		checkpoint: checkKeys{form: ErrCheckpointForm, signature: ErrCheckpointSignature},
	}
	for i := range v.ranges {
		r := &v.ranges[i]
		if r.Origin == "" {
			r.Origin = origin
		}
		if err := checkOrigin(r.Origin); err != nil {
			return nil, err
		}
		if r.Origin != origin && slices.ContainsFunc(v.ranges[:i], func(o KeyRange) bool { return o.Origin == r.Origin }) {
			return nil, fail(ErrKey, 0, "the log comes back to its earlier origin %s", r.Origin)
		}
		origin = r.Origin
		if err := v.page.add(origin+pageSuffix, r.Public); err != nil {
			return nil, err
		}
		if err := v.checkpoint.add(origin, r.Public); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Epoch is the epoch, from 1, in which the log has a position.
func (v *Verifier) Epoch(position uint64) uint64 {
	epoch := uint64(1)
	for i, r := range v.ranges[1:] {
		if position < r.From {
			break
		}
		if r.Origin != v.ranges[i].Origin {
			epoch++
		}
	}
	return epoch
}

// checkRanges refuses ranges that overlap or leave sizes out.
func checkRanges(ranges []KeyRange) error {
	if len(ranges) == 0 || len(ranges) > MaxKeys {
		return fail(ErrKey, 0, "%d keys; a log has 1 to %d", len(ranges), MaxKeys)
	}
	next := uint64(0)
	for i, r := range ranges {
		if r.From != next || r.Until < r.From || r.Counts > r.Until {
			return fail(ErrKey, 0, "key %d signs from size %d to %d and counts up to %d; the one before ends at %d",
				i+1, r.From, r.Until, r.Counts, next)
		}
		next = r.Until
	}
	if last := ranges[len(ranges)-1]; last.Until != MaxSize || last.Counts != MaxSize {
		return fail(ErrKey, 0, "the newest key ends at size %d", last.Until)
	}
	return nil
}

// ParseVerifierKey reads the form that VerifierKey gives.
func ParseVerifierKey(vkey string) (*Verifier, error) {
	if _, err := note.NewVerifier(vkey); err != nil {
		return nil, fail(ErrKey, 0, "verifier key %.80q: %v", vkey, err)
	}
	origin, rest, _ := strings.Cut(vkey, "+")
	_, key64, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(key) != 1+ed25519.PublicKeySize {
		return nil, fail(ErrKey, 0, "verifier key %.80q is of no known kind", vkey)
	}
	v, err := NewVerifier(origin, ForEver(key[1:]))
	if err != nil {
		return nil, err
	}
	if v.VerifierKey() != vkey {
		return nil, fail(ErrKey, 0, "verifier key %.80q is not in its canonical form", vkey)
	}
	return v, nil
}

// Origin is the name of the log.
func (s *Signer) Origin() string { return s.origin }

// Verifier gives the verifier of what the signer signs.
func (s *Signer) Verifier() *Verifier { return s.verifier }

// Origin is the name of the log, the newest where it has had several.
func (v *Verifier) Origin() string { return v.ranges[len(v.ranges)-1].Origin }

// Ranges are the keys that the log has had, oldest first, each with its origin.
func (v *Verifier) Ranges() []KeyRange { return slices.Clone(v.ranges) }

// PublicKey is the Ed25519 key that is in use.
func (v *Verifier) PublicKey() ed25519.PublicKey {
	return slices.Clone(v.ranges[len(v.ranges)-1].Public)
}

// VerifierKey is the key under which checkpoints are signed now, in the C2SP
// note form "<origin>+<hash>+<base64>".
func (v *Verifier) VerifierKey() string { return v.checkpoint.newest().vkey }

// PageKey is the key under which pages are signed now, in the same form: the
// same key bytes under the name "<origin>/page".
func (v *Verifier) PageKey() string { return v.page.newest().vkey }

// checkOrigin refuses names that cannot stand in a note, and those that read
// like another log's pages.
func checkOrigin(origin string) error {
	forbidden := func(r rune) bool { return unicode.IsSpace(r) || r < 0x20 || r == 0x7f || r == '+' }
	switch {
	case origin == "" || len(origin) > MaxOrigin:
		return fail(ErrKey, 0, "an origin of %d bytes; it must have 1 to %d", len(origin), MaxOrigin)
	case !utf8.ValidString(origin) || strings.ContainsFunc(origin, forbidden):
		return fail(ErrKey, 0, "origin %q has characters that a note cannot hold", origin)
	case strings.HasSuffix(origin, pageSuffix):
		return fail(ErrKey, 0, "origin %q ends in %q, as the first line of pages does", origin, pageSuffix)
	}
	return nil
}

// signKey is the note.Signer of the log's key under one of its names.
type signKey struct {
	note.Verifier
	key ed25519.PrivateKey
}

// Sign implements note.Signer.
func (k signKey) Sign(msg []byte) ([]byte, error) {
	if k.key == nil {
		return nil, fail(ErrKey, 0, "this copy of the log has no signing key")
	}
	return ed25519.Sign(k.key, msg), nil
}

func (k signKey) sign(text string) ([]byte, error) {
	return note.Sign(&note.Note{Text: text}, k)
}

// checkKeys opens notes signed by one of the log's keys under one of its names.
type checkKeys struct {
	keys            []checkKey
	form, signature *Error
}

type checkKey struct {
	known note.Verifier
	vkey  string
}

func (k *checkKeys) newest() checkKey { return k.keys[len(k.keys)-1] }

// add makes one more key known. Two whose short hashes are the same could not be
// told apart in a note.
func (k *checkKeys) add(name string, key ed25519.PublicKey) error {
	vkey, err := note.NewEd25519VerifierKey(name, key)
	if err != nil {
		return fail(ErrKey, 0, "%v", err)
	}
	nv, err := note.NewVerifier(vkey)
	if err != nil {
		return fail(ErrKey, 0, "%v", err)
	}
	if k.index(nv.KeyHash()) >= 0 {
		return fail(ErrKey, 0, "two keys of the hash %08x", nv.KeyHash())
	}
	k.keys = append(k.keys, checkKey{known: nv, vkey: vkey})
	return nil
}

// index is the place of the key with a hash, -1 if there is none.
func (k *checkKeys) index(hash uint32) int {
	return slices.IndexFunc(k.keys, func(c checkKey) bool { return c.known.KeyHash() == hash })
}

// open checks a note that must have exactly one signature, the log's, and must
// be byte for byte as the signer writes it; it gives the text, and which key
// signed it.
func (k *checkKeys) open(msg []byte) (text string, key int, err error) {
	n, err := k.openAny(msg)
	if err != nil {
		return "", 0, err
	}
	sig := n.Sigs[0]
	if n.Text+"\n— "+sig.Name+" "+sig.Base64+"\n" != string(msg) || !canonicalBase64(sig.Base64) {
		return "", 0, fail(k.form, 0, "the note holds more than its one signature in its one form")
	}
	return n.Text, k.index(sig.Hash), nil
}

// openAny checks a note that may have signatures by others, which are not
// checked.
func (k *checkKeys) openAny(msg []byte) (*note.Note, error) {
	n, err := note.Open(msg, lookup{k})
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	name := k.newest().known.Name()
	switch {
	case errors.As(err, &unverified):
		return nil, fail(k.signature, 0, "no signature by %s", name)
	case errors.As(err, &invalid):
		return nil, fail(k.signature, 0, "the signature by %s does not fit", name)
	case err != nil:
		return nil, fail(k.form, 0, "%v", err)
	}
	return n, nil
}

// lookup is the note.Verifiers that knows the log's keys.
type lookup struct{ *checkKeys }

// Verifier implements note.Verifiers.
func (k lookup) Verifier(name string, hash uint32) (note.Verifier, error) {
	if i := k.index(hash); i >= 0 && name == k.keys[i].known.Name() {
		return k.keys[i].known, nil
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

func canonicalBase64(text string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && !strings.ContainsAny(text, "\r\n")
}
