package transparency

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

var (
	// ErrKeysForm: the text is not a list of keys.
	ErrKeysForm = &Error{Code: "keys-form"}
	// ErrKeysSignature: the list is not signed by its identity.
	ErrKeysSignature = &Error{Code: "keys-signature"}
	// ErrKeysHistory: a list does not go on from the one that is trusted.
	ErrKeysHistory = &Error{Code: "keys-history"}
)

const (
	// MaxKeyList is the longest list of keys, in bytes.
	MaxKeyList = 512 << 10

	keyListMagic  = "daybook/keys/v1"
	maxWitnesses  = 64
	openEnd       = "-" // in place of MaxSize
	identityStart = "identity "
	originStart   = "origin "
	serialStart   = "serial "
	quorumStart   = "quorum "
	keyStart      = "key "
	witnessStart  = "witness "
)

// KeyList says which keys sign a log, at which sizes each counts, and who its
// witnesses are. The book's identity signs it: a key that is used for nothing
// else, so that it can lie in a safe. docs/FORMAT.md has the bytes.
type KeyList struct {
	// Identity is the identity's public key, in the note form.
	Identity string
	// Origin is the log's, the newest where it has had several.
	Origin string
	// Serial is one more than that of the list before.
	Serial uint64
	Keys   []page.KeyRange
	Witnesses
}

// text is what the identity signs.
func (l KeyList) text() string {
	var b strings.Builder
	origin := l.Keys[0].Origin
	fmt.Fprintf(&b, "%s\n%s%s\n%s%s\n%s%d\n", keyListMagic, identityStart, l.Identity, originStart, origin, serialStart, l.Serial)
	for _, k := range l.Keys {
		if k.Origin != origin {
			origin = k.Origin
			fmt.Fprintf(&b, "%s%s\n", originStart, origin)
		}
		fmt.Fprintf(&b, "%s%d %s %s %s\n", keyStart, k.From, sizeText(k.Until), sizeText(k.Counts),
			base64.StdEncoding.EncodeToString(k.Public))
	}
	fmt.Fprintf(&b, "%s%d\n", quorumStart, l.Quorum)
	for _, w := range l.Witnesses.Keys {
		fmt.Fprintf(&b, "%s%s\n", witnessStart, w)
	}
	return b.String()
}

func sizeText(size uint64) string {
	if size == page.MaxSize {
		return openEnd
	}
	return strconv.FormatUint(size, 10)
}

func parseSize(text string) (uint64, error) {
	if text == openEnd {
		return page.MaxSize, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

// Sign gives the signed list.
func (l KeyList) Sign(identity ed25519.PrivateKey) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(l.Identity, "+")
	vkey, err := note.NewEd25519VerifierKey(name, identity.Public().(ed25519.PublicKey))
	if err != nil || vkey != l.Identity {
		return nil, fail(ErrKeysSignature, "the private key is not that of the list's identity")
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fail(ErrKeysForm, "%v", err)
	}
	signed, err := note.Sign(&note.Note{Text: l.text()}, noteSigner{verifier, identity})
	if err != nil {
		return nil, fail(ErrKeysForm, "%v", err)
	}
	return signed, nil
}

type noteSigner struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s noteSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// check refuses lists that no log can have.
func (l KeyList) check() error {
	if slices.ContainsFunc(l.Keys, func(k page.KeyRange) bool { return k.Origin == "" }) {
		return fail(ErrKeysForm, "a key without an origin")
	}
	verifier, err := l.Verifier()
	if err != nil {
		return fail(ErrKeysForm, "%v", err)
	}
	if verifier.Origin() != l.Origin {
		return fail(ErrKeysForm, "origin %s, and the newest key is of %s", l.Origin, verifier.Origin())
	}
	if l.Serial == 0 || l.Serial > page.MaxSize {
		return fail(ErrKeysForm, "serial %d", l.Serial)
	}
	if n := len(l.Witnesses.Keys); n > maxWitnesses || l.Quorum < 0 || l.Quorum > n || (l.Quorum == 0) != (n == 0) {
		return fail(ErrKeysForm, "a quorum of %d of %d witnesses", l.Quorum, n)
	}
	for i, w := range l.Witnesses.Keys {
		if slices.ContainsFunc(l.Witnesses.Keys[:i], func(o WitnessKey) bool { return o.Name == w.Name || o.Public.Equal(w.Public) }) {
			return fail(ErrKeysForm, "witness %s stands there twice", w.Name)
		}
	}
	return nil
}

// ParseKeyList reads a signed list and checks that it is signed by the identity
// that it names. Whether that identity is the right one, only who has it from
// elsewhere can tell; see Follow.
func ParseKeyList(signed []byte) (KeyList, error) {
	if len(signed) > MaxKeyList {
		return KeyList{}, fail(ErrKeysForm, "%d bytes, more than %d", len(signed), MaxKeyList)
	}
	text, _, found := bytes.Cut(signed, []byte("\n\n"))
	if !found {
		return KeyList{}, fail(ErrKeysForm, "not a signed list of keys")
	}
	l, err := parseKeyText(string(text) + "\n")
	if err != nil {
		return KeyList{}, err
	}
	verifier, err := note.NewVerifier(l.Identity)
	if err != nil {
		return KeyList{}, fail(ErrKeysForm, "the identity: %v", err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified), errors.As(err, &invalid):
		return KeyList{}, fail(ErrKeysSignature, "not signed by the identity that it names")
	case err != nil:
		return KeyList{}, fail(ErrKeysForm, "%v", err)
	}
	sig := n.Sigs[0]
	if n.Text+"\n— "+sig.Name+" "+sig.Base64+"\n" != string(signed) {
		return KeyList{}, fail(ErrKeysForm, "the list is not in its one form")
	}
	return l, nil
}

// parseKeyText reads what text writes. Comparing with the text written anew
// leaves one form to every list.
func parseKeyText(text string) (KeyList, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 6 || len(lines) > 5+2*page.MaxKeys+maxWitnesses || lines[0] != keyListMagic {
		return KeyList{}, fail(ErrKeysForm, "not a %s", keyListMagic)
	}
	l := KeyList{Identity: strings.TrimPrefix(lines[1], identityStart), Origin: strings.TrimPrefix(lines[2], originStart)}
	var err error
	if l.Serial, err = strconv.ParseUint(strings.TrimPrefix(lines[3], serialStart), 10, 64); err != nil {
		return KeyList{}, fail(ErrKeysForm, "the serial: %v", err)
	}
	for _, line := range lines[4:] {
		if err := l.line(line); err != nil {
			return KeyList{}, fail(ErrKeysForm, "line %.100q: %v", line, err)
		}
	}
	if err := l.check(); err != nil {
		return KeyList{}, err
	}
	if l.text() != text {
		return KeyList{}, fail(ErrKeysForm, "the list is not in its one form")
	}
	return l, nil
}

// line reads one line of a key, the quorum or a witness.
func (l *KeyList) line(line string) (err error) {
	switch {
	case strings.HasPrefix(line, originStart):
		l.Origin = strings.TrimPrefix(line, originStart)
	case strings.HasPrefix(line, keyStart):
		var k page.KeyRange
		if k, err = parseRange(strings.TrimPrefix(line, keyStart)); err == nil {
			k.Origin = l.Origin
			l.Keys = append(l.Keys, k)
		}
	case strings.HasPrefix(line, quorumStart):
		l.Quorum, err = strconv.Atoi(strings.TrimPrefix(line, quorumStart))
	case strings.HasPrefix(line, witnessStart):
		var w WitnessKey
		if w, err = ParseWitnessKey(strings.TrimPrefix(line, witnessStart)); err == nil {
			l.Witnesses.Keys = append(l.Witnesses.Keys, w)
		}
	default:
		err = errors.New("neither an origin, a key, the quorum nor a witness")
	}
	return err
}

func parseRange(text string) (k page.KeyRange, err error) {
	fields := strings.Split(text, " ")
	if len(fields) != 4 {
		return k, fmt.Errorf("%d fields", len(fields))
	}
	for i, into := range []*uint64{&k.From, &k.Until, &k.Counts} {
		if *into, err = parseSize(fields[i]); err != nil {
			return k, err
		}
	}
	key, err := base64.StdEncoding.Strict().DecodeString(fields[3])
	if err == nil && len(key) != ed25519.PublicKeySize {
		err = fmt.Errorf("a key of %d bytes", len(key))
	}
	k.Public = key
	return k, err
}

// Verifier checks pages and checkpoints of the list's log.
func (l KeyList) Verifier() (*page.Verifier, error) { return page.NewVerifier(l.Origin, l.Keys...) }

// Follow takes a newer list in place of one that is trusted: signed by the same
// identity, with every key that the old one has at the size where it was. A closed
// key may count for less, never for more. A new epoch ends the keys before it
// where it begins, and those that would have begun later are gone. The same list
// again, or an older one, gives the trusted one.
func (l KeyList) Follow(newer KeyList) (KeyList, error) {
	if newer.Identity != l.Identity {
		return KeyList{}, fail(ErrKeysHistory, "it is of identity %s, trusted is %s", newer.Identity, l.Identity)
	}
	older, later := l, newer
	if newer.Serial <= l.Serial {
		older, later = newer, l
	}
	if older.Serial == later.Serial && older.text() != later.text() {
		return KeyList{}, fail(ErrKeysHistory, "two lists have serial %d", l.Serial)
	}
	end, knows := later.after(older.Origin)
	if !knows {
		return KeyList{}, fail(ErrKeysHistory, "list %d is of origin %s, which list %d does not go on from", older.Serial, older.Origin, later.Serial)
	}
	for i, was := range older.Keys {
		if was.From > end {
			break
		}
		if i == len(later.Keys) {
			return KeyList{}, fail(ErrKeysHistory, "list %d has fewer keys than list %d", later.Serial, older.Serial)
		}
		is, until := later.Keys[i], min(was.Until, end)
		if !is.Public.Equal(was.Public) || is.Origin != was.Origin || is.From != was.From || is.Until > until || is.Counts > was.Counts ||
			was.Until != page.MaxSize && is.Until != until {
			return KeyList{}, fail(ErrKeysHistory, "list %d changes key %d of list %d", later.Serial, i+1, older.Serial)
		}
	}
	return later, nil
}

// after is the size at which an origin of the list gave way to the next, MaxSize
// for the newest.
func (l KeyList) after(origin string) (size uint64, known bool) {
	for _, k := range l.Keys {
		if k.Origin == origin {
			size, known = k.Until, true
		}
	}
	return size, known
}

// GivenUp tells whether a list, this one or one that follows it, gives up a checkpoint
// that was counted before, because a new epoch begins at a smaller size; and gives that
// size. That a key was replaced before, or that somebody else had it, is another reason.
func (l KeyList) GivenUp(newer KeyList, checkpoint []byte) (at uint64, is bool) {
	for _, k := range l.Keys {
		v, err := page.NewVerifier(k.Origin, page.ForEver(k.Public))
		if err != nil {
			continue
		}
		h, err := v.Checkpoint(checkpoint)
		if err != nil {
			continue // another key signed it
		}
		at, known := newer.after(k.Origin)
		if !known || h.Size <= at {
			return 0, false
		}
		i := slices.IndexFunc(newer.Keys, func(n page.KeyRange) bool { return n.Origin == k.Origin && n.Public.Equal(k.Public) })
		// A key that began after the new epoch does is not there any more.
		if i < 0 || newer.Keys[i].Counts == at && newer.Keys[i+1].Origin != k.Origin {
			return at, true
		}
		return 0, false
	}
	return 0, false
}

// Rotate gives the list in which a new key signs from a size on. The old key's
// checkpoints count up to counts: the size itself in a plain rotation, the last
// cosigned size after a compromise.
func (l KeyList) Rotate(next ed25519.PublicKey, size, counts uint64) KeyList {
	l.Serial++
	l.Keys = slices.Clone(l.Keys)
	last := &l.Keys[len(l.Keys)-1]
	last.Until, last.Counts = size, min(size, counts)
	k := page.ForEver(next)
	k.From, k.Origin = size, l.Origin
	l.Keys = append(l.Keys, k)
	return l
}

// Succeed gives the list with which a new epoch of the log goes on from a size,
// under another origin and a new key. What the keys before signed beyond that size
// counts no more.
func (l KeyList) Succeed(origin string, next ed25519.PublicKey, size uint64) KeyList {
	l.Serial++
	var keys []page.KeyRange
	for _, k := range l.Keys {
		if k.From <= size {
			k.Until, k.Counts = min(k.Until, size), min(k.Counts, size)
			keys = append(keys, k)
		}
	}
	k := page.ForEver(next)
	k.From, k.Origin = size, origin
	l.Keys, l.Origin = append(keys, k), origin
	return l
}
