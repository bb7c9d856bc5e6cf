package page

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// pageSuffix makes the key name and first line of pages from the origin.
const pageSuffix = "/page"

// Signer signs the pages and checkpoints of one log (one origin). It is safe for
// concurrent use.
type Signer struct {
	origin     string
	verifier   *Verifier
	page       signKey
	checkpoint signKey
}

// Verifier checks them. It is safe for concurrent use.
type Verifier struct {
	origin     string
	key        ed25519.PublicKey
	page       checkKey
	checkpoint checkKey
}

// NewSigner makes the signer of a log. The origin is the log's name in its
// checkpoints, by convention a URL without a schema such as
// "example.com/books/acme": 1 to MaxOrigin bytes of UTF-8 without spaces,
// control characters and plus signs, and not ending in "/page".
func NewSigner(origin string, key ed25519.PrivateKey) (*Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fail(ErrKey, 0, "a private key of %d bytes", len(key))
	}
	v, err := NewVerifier(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Signer{
		origin:     origin,
		verifier:   v,
		page:       signKey{Verifier: v.page.known, key: key},
		checkpoint: signKey{Verifier: v.checkpoint.known, key: key},
	}, nil
}

// NewVerifier makes the verifier of a log from its origin and public key.
func NewVerifier(origin string, key ed25519.PublicKey) (*Verifier, error) {
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	p, err := newCheckKey(origin+pageSuffix, key, ErrForm, ErrSignature)
	if err != nil {
		return nil, err
	}
	c, err := newCheckKey(origin, key, ErrCheckpointForm, ErrCheckpointSignature)
	if err != nil {
		return nil, err
	}
	return &Verifier{origin: origin, key: key, page: p, checkpoint: c}, nil
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
	v, err := NewVerifier(origin, key[1:])
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

// Origin is the name of the log.
func (v *Verifier) Origin() string { return v.origin }

// PublicKey is the log's Ed25519 key.
func (v *Verifier) PublicKey() ed25519.PublicKey {
	return append(ed25519.PublicKey(nil), v.key...)
}

// VerifierKey is the key under which checkpoints are signed, in the C2SP note
// form "<origin>+<hash>+<base64>".
func (v *Verifier) VerifierKey() string { return v.checkpoint.vkey }

// PageKey is the key under which pages are signed, in the same form: the same
// key bytes under the name "<origin>/page".
func (v *Verifier) PageKey() string { return v.page.vkey }

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
func (k signKey) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.key, msg), nil }

func (k signKey) sign(text string) ([]byte, error) {
	return note.Sign(&note.Note{Text: text}, k)
}

// checkKey opens notes signed by the log's key under one of its names.
type checkKey struct {
	known           note.Verifier
	vkey            string
	form, signature *Error
}

func newCheckKey(name string, key ed25519.PublicKey, form, signature *Error) (checkKey, error) {
	vkey, err := note.NewEd25519VerifierKey(name, key)
	if err != nil {
		return checkKey{}, fail(ErrKey, 0, "%v", err)
	}
	nv, err := note.NewVerifier(vkey)
	if err != nil {
		return checkKey{}, fail(ErrKey, 0, "%v", err)
	}
	return checkKey{known: nv, vkey: vkey, form: form, signature: signature}, nil
}

// open checks a note that must have exactly one signature, the log's, and must
// be byte for byte as the signer writes it; it gives the text.
func (k checkKey) open(msg []byte) (string, error) {
	n, err := k.openAny(msg)
	if err != nil {
		return "", err
	}
	sig := n.Sigs[0]
	if n.Text+"\n— "+sig.Name+" "+sig.Base64+"\n" != string(msg) || !canonicalBase64(sig.Base64) {
		return "", fail(k.form, 0, "the note holds more than its one signature in its one form")
	}
	return n.Text, nil
}

// openAny checks a note that may have signatures by others, which are not
// checked.
func (k checkKey) openAny(msg []byte) (*note.Note, error) {
	n, err := note.Open(msg, lookup(k))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return nil, fail(k.signature, 0, "no signature by %s", k.known.Name())
	case errors.As(err, &invalid):
		return nil, fail(k.signature, 0, "the signature by %s does not fit", k.known.Name())
	case err != nil:
		return nil, fail(k.form, 0, "%v", err)
	}
	return n, nil
}

// lookup is the note.Verifiers that knows one key.
type lookup checkKey

// Verifier implements note.Verifiers.
func (k lookup) Verifier(name string, hash uint32) (note.Verifier, error) {
	if name == k.known.Name() && hash == k.known.KeyHash() {
		return k.known, nil
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

func canonicalBase64(text string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && !strings.ContainsAny(text, "\r\n")
}
