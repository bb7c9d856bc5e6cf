package keyring

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/argon2"
)

// Params is the cost of argon2id.
type Params struct {
	// Time is the number of passes, 1 to 16.
	Time uint32
	// Memory is in KiB, 1,024 to 262,144.
	Memory uint32
	// Threads is 1 to 16.
	Threads uint8
}

// DefaultParams is the cost for new rings: 64 MiB, three passes, four lanes.
func DefaultParams() Params { return Params{Time: 3, Memory: 64 << 10, Threads: 4} }

// The bounds hold for rings that are read as well: whoever can alter the file
// must not be able to exhaust the machine that opens it, nor have a passphrase
// tried at next to no cost.
const (
	maxTime    = 16
	minMemory  = 1 << 10
	maxMemory  = 256 << 10
	maxThreads = 16
)

func (p Params) valid() bool {
	return p.Time >= 1 && p.Time <= maxTime &&
		p.Memory >= minMemory && p.Memory <= maxMemory &&
		p.Threads >= 1 && p.Threads <= maxThreads
}

// Root gives a ring its root key. Passphrase, KeyFile and Secret make one.
type Root interface {
	fmt.Formatter
	// mode is the number stored in the header.
	mode() rootMode
	// rootKey gives 32 bytes, which the caller wipes.
	rootKey(salt []byte, p Params) ([]byte, error)
}

type rootMode uint8

const (
	modePassphrase rootMode = 1
	modeKeyFile    rootMode = 2
)

func (m rootMode) String() string {
	if m == modePassphrase {
		return "a passphrase"
	}
	return "a key file"
}

// WantsKeyFile reports whether the ring at path is locked with a key file, and
// not with a passphrase. It needs neither. Errors: ErrMissing, ErrDamaged,
// ErrNewer.
func WantsKeyFile(path string) (bool, error) {
	file, encoded, err := openFile(path)
	if err != nil {
		return false, fmt.Errorf("keyring: look at %s: %w", path, err)
	}
	defer file.Close()
	h, err := decodeHeader(encoded)
	if err != nil {
		return false, fmt.Errorf("keyring: look at %s: %w", path, err)
	}
	return h.mode == modeKeyFile, nil
}

// Passphrase makes the root key from a passphrase by argon2id. The bytes are
// used as they are, and must not change while the Root is in use; whoever made
// them wipes them.
func Passphrase(passphrase []byte) Root { return passphraseRoot{passphrase} }

type passphraseRoot struct{ secret []byte }

func (passphraseRoot) mode() rootMode { return modePassphrase }

// Format keeps the passphrase out of anything that is printed.
func (passphraseRoot) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "passphrase") }

func (r passphraseRoot) rootKey(salt []byte, p Params) ([]byte, error) {
	if len(r.secret) == 0 {
		return nil, fmt.Errorf("%w: the passphrase is empty", ErrInvalid)
	}
	if !p.valid() {
		return nil, fmt.Errorf("%w: argon2id parameters out of range", ErrInvalid)
	}
	return argon2.IDKey(r.secret, salt, p.Time, p.Memory, p.Threads, KeySize), nil
}

// KeyFile makes the root key from a file of 32 to 1,024 random bytes, raw or in
// base64 (white space around it is ignored). The file must be readable by its
// owner alone (mode 0600 or 0400). It is read whenever the root key is made.
func KeyFile(path string) Root { return keyFileRoot{path} }

type keyFileRoot struct{ path string }

func (keyFileRoot) mode() rootMode { return modeKeyFile }

// Format names the file, whose path is no secret.
func (r keyFileRoot) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "key file "+r.path) }

func (r keyFileRoot) rootKey(salt []byte, p Params) ([]byte, error) {
	secret, err := readKeyFile(r.path)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return secretRoot{secret}.rootKey(salt, p)
}

// Secret makes the root key from 32 to 1,024 random bytes, as KeyFile does from those of
// a file: for a ring that lasts no longer than whoever has them. They must not change
// while the Root is in use; whoever made them wipes them.
func Secret(secret []byte) Root { return secretRoot{secret} }

// Transient is a Secret that nobody keeps, until forget wipes it: what it locks opens
// for nobody after that.
func Transient() (root Root, forget func()) {
	secret := make([]byte, KeySize)
	_, _ = rand.Read(secret) // it never fails
	return Secret(secret), func() { clear(secret) }
}

type secretRoot struct{ secret []byte }

func (secretRoot) mode() rootMode { return modeKeyFile }

// Format keeps the secret out of anything that is printed.
func (secretRoot) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "secret") }

// The secret is random, so that a fast derivation is enough.
func (r secretRoot) rootKey(salt []byte, _ Params) ([]byte, error) {
	if len(r.secret) < minKeyFile || len(r.secret) > maxKeyFile {
		return nil, fmt.Errorf("%w: a secret of %d bytes", ErrInvalid, len(r.secret))
	}
	return hkdf.Key(sha256.New, r.secret, salt, "daybook/keyring/1/key-file", KeySize)
}

const (
	minKeyFile = 32   // bytes of key
	maxKeyFile = 1024 // bytes of key
)

func readKeyFile(path string) ([]byte, error) {
	// A pipe would keep the opening waiting, so look before.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", ErrKeyFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o and must have 0600", ErrKeyFile, path, perm)
	}
	content := make([]byte, 2*maxKeyFile+1) // base64 and white space fit
	defer clear(content)
	n, err := io.ReadFull(file, content)
	if err == nil {
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrKeyFile, path, 2*maxKeyFile)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	secret, err := parseKeyFile(content[:n])
	if err != nil {
		return nil, fmt.Errorf("%w: %s %w", ErrKeyFile, path, err)
	}
	return secret, nil
}

// parseKeyFile gives the key in the content, in a slice of its own.
func parseKeyFile(content []byte) ([]byte, error) {
	secret, decoded := decodeBase64(bytes.TrimSpace(content))
	if !decoded {
		if isText(content) {
			return nil, errors.New("holds text that is not base64; use it as a passphrase file")
		}
		secret = bytes.Clone(content)
	}
	if len(secret) < minKeyFile || len(secret) > maxKeyFile {
		clear(secret)
		return nil, fmt.Errorf("must hold %d to %d random bytes", minKeyFile, maxKeyFile)
	}
	return secret, nil
}

func decodeBase64(text []byte) ([]byte, bool) {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		secret := make([]byte, encoding.DecodedLen(len(text)))
		if n, err := encoding.Strict().Decode(secret, text); err == nil {
			return secret[:n], true
		}
		clear(secret)
	}
	return nil, false
}

// isText tells a line that somebody typed from random bytes: 32 random bytes
// are all printable once in 10^14 times.
func isText(content []byte) bool {
	for _, c := range content {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}
