package transparency

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"

	"github.com/daybook-ledger/daybook/eventstore/page"
)

// Cosignatures are C2SP tlog-cosignature's of version 1 with Ed25519: what a
// witness says of a checkpoint is that, at that time, it extended everything
// that the witness had cosigned of this log before.

// algCosignature is the kind of key and signature, as the note form numbers it.
const algCosignature = 4

// cosignatureSize is the key's hash, the time and the signature.
const cosignatureSize = 4 + 8 + ed25519.SignatureSize

var (
	// ErrCosignature: a cosignature, or the key of a witness, is not one.
	ErrCosignature = &Error{Code: "cosignature"}
	// ErrQuorum: too few of the log's witnesses cosigned a checkpoint.
	ErrQuorum = &Error{Code: "witness-quorum"}
)

// WitnessKey is the public key of a witness.
type WitnessKey struct {
	Name   string
	Public ed25519.PublicKey
}

// ParseWitnessKey reads the note form "<name>+<hash>+<base64>" of a cosignature
// key, in its canonical form only.
func ParseWitnessKey(text string) (WitnessKey, error) {
	name, rest, _ := strings.Cut(text, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != algCosignature || !Nameable(name) {
		return WitnessKey{}, fail(ErrCosignature, "%.100q is not the key of a witness", text)
	}
	w := WitnessKey{name, key[1:]}
	if w.String() != text {
		return WitnessKey{}, fail(ErrCosignature, "%.100q is not in its canonical form", text)
	}
	return w, nil
}

// Nameable reports whether a note can hold a name of a key.
func Nameable(name string) bool {
	return name != "" && len(name) <= page.MaxOrigin && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || r < 0x20 || r == 0x7f || r == '+' || r == unicode.ReplacementChar
	})
}

// String is the note form of the key.
func (w WitnessKey) String() string {
	key := append([]byte{algCosignature}, w.Public...)
	return fmt.Sprintf("%s+%08x+%s", w.Name, w.hash(), base64.StdEncoding.EncodeToString(key))
}

// hash is the first four bytes of the SHA-256 of name and key.
func (w WitnessKey) hash() uint32 {
	sum := sha256.Sum256(slices.Concat([]byte(w.Name), []byte{'\n', algCosignature}, w.Public))
	return binary.BigEndian.Uint32(sum[:])
}

// cosigned is the message that a cosignature signs.
func cosigned(text string, unix uint64) []byte {
	return []byte("cosignature/v1\ntime " + strconv.FormatUint(unix, 10) + "\n" + text)
}

// Cosign gives the signature line, with its line break, that a witness adds to a
// checkpoint.
func Cosign(name string, key ed25519.PrivateKey, checkpoint []byte, at time.Time) ([]byte, error) {
	text, _, err := cutCheckpoint(checkpoint)
	if err != nil {
		return nil, err
	}
	unix := uint64(at.Unix())
	w := WitnessKey{name, key.Public().(ed25519.PublicKey)}
	sig := binary.BigEndian.AppendUint32(nil, w.hash())
	sig = binary.BigEndian.AppendUint64(sig, unix)
	sig = append(sig, ed25519.Sign(key, cosigned(text, unix))...)
	return []byte("— " + name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"), nil
}

// Cosigned gives when the witness cosigned a checkpoint: the zero time where it
// did not. A line of its name and key that does not hold is an error.
func (w WitnessKey) Cosigned(checkpoint []byte) (time.Time, error) {
	text, lines, err := cutCheckpoint(checkpoint)
	if err != nil {
		return time.Time{}, err
	}
	for _, line := range lines {
		name, encoded, _ := strings.Cut(strings.TrimPrefix(line, "— "), " ")
		sig, err := base64.StdEncoding.DecodeString(encoded)
		if name != w.Name || err != nil || len(sig) < 4 || binary.BigEndian.Uint32(sig) != w.hash() {
			continue // by somebody else
		}
		if len(sig) != cosignatureSize {
			return time.Time{}, fail(ErrCosignature, "that of %s has %d bytes", w.Name, len(sig))
		}
		unix := binary.BigEndian.Uint64(sig[4:])
		if unix > 1<<40 || !ed25519.Verify(w.Public, cosigned(text, unix), sig[12:]) {
			return time.Time{}, fail(ErrCosignature, "that of %s does not fit the checkpoint", w.Name)
		}
		return time.Unix(int64(unix), 0).UTC(), nil
	}
	return time.Time{}, nil
}

// cutCheckpoint splits a signed checkpoint into its text and its signature
// lines.
func cutCheckpoint(signed []byte) (text string, lines []string, err error) {
	at := bytes.LastIndex(signed, []byte("\n\n"))
	if len(signed) > page.MaxCheckpoint || at < 0 || signed[len(signed)-1] != '\n' {
		return "", nil, fail(ErrCosignature, "not a signed checkpoint")
	}
	lines = strings.Split(strings.TrimSuffix(string(signed[at+2:]), "\n"), "\n")
	return string(signed[:at+1]), lines, nil
}

// Witnesses are those of a log, and how many of them must have cosigned a
// checkpoint for it to count as witnessed. The zero value is of a log without.
type Witnesses struct {
	Keys   []WitnessKey
	Quorum int
}

// Check checks the cosignatures on a checkpoint: it gives the time at which the
// last one that the quorum needed was made. ErrQuorum where there are too few; of
// a log without witnesses nothing is asked.
func (w Witnesses) Check(checkpoint []byte) (time.Time, error) {
	var times []time.Time
	for _, key := range w.Keys {
		at, err := key.Cosigned(checkpoint)
		if err != nil {
			return time.Time{}, err
		}
		if !at.IsZero() {
			times = append(times, at)
		}
	}
	if len(times) < w.Quorum {
		return time.Time{}, fail(ErrQuorum, "%d of %d witnesses cosigned, of whom %d must", len(times), len(w.Keys), w.Quorum)
	}
	if w.Quorum == 0 {
		return time.Time{}, nil
	}
	slices.SortFunc(times, time.Time.Compare)
	return times[w.Quorum-1], nil
}

// AddCosignatures adds signature lines to a checkpoint, without those that stand
// there already. The result is a note that still opens.
func AddCosignatures(checkpoint []byte, lines ...[]byte) ([]byte, error) {
	out := bytes.Clone(checkpoint)
	for _, line := range lines {
		if !bytes.HasSuffix(line, []byte("\n")) || bytes.Count(line, []byte("\n")) != 1 {
			return nil, fail(ErrCosignature, "not one line")
		}
		if !bytes.Contains(out, append([]byte{'\n'}, line...)) {
			out = append(out, line...)
		}
	}
	if len(out) > page.MaxCheckpoint {
		return nil, fail(ErrCosignature, "a checkpoint of %d bytes", len(out))
	}
	if _, err := note.Open(out, note.VerifierList()); err != nil {
		if _, unknown := err.(*note.UnverifiedNoteError); !unknown {
			return nil, fail(ErrCosignature, "%v", err)
		}
	}
	return out, nil
}
