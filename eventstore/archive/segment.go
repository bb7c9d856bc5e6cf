package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/page"
)

const (
	segmentMagic = "daybook/segment/v1"
	ringMagic    = "daybook/archived-ring/v1"

	// frameHead is the length that stands before each part.
	frameHead = 4
	// maxFrame bounds a part of a segment: a page, or a checkpoint.
	maxFrame = page.MaxBytes
	// maxPages bounds the pages of a segment.
	maxPages = 1 << 20
)

// content is what a segment holds.
type content struct {
	origin string
	pages  []eventstore.Page // in order, without gaps
	// checkpoint is signed by the log, for a size that the pages reach or that
	// comes after them.
	checkpoint []byte
}

// encode gives the plain text: the head, each page, the checkpoint, each with its
// length before it.
func (c content) encode() []byte {
	first, last := c.pages[0].Number, c.pages[len(c.pages)-1].Number
	out := frame(nil, fmt.Appendf(nil, "%s\n%s\npages %d %d\n", segmentMagic, c.origin, first, last))
	for _, p := range c.pages {
		out = frame(out, p.Body)
	}
	return frame(out, c.checkpoint)
}

func frame(out, part []byte) []byte {
	return append(binary.BigEndian.AppendUint32(out, uint32(len(part))), part...)
}

// cut takes the first part of what frame made.
func cut(data []byte, limit int) (part, rest []byte, err error) {
	if len(data) < frameHead {
		return nil, nil, fmt.Errorf("%w: it ends in the middle", ErrDamaged)
	}
	n := binary.BigEndian.Uint32(data)
	if data = data[frameHead:]; uint64(n) > uint64(limit) || uint64(n) > uint64(len(data)) {
		return nil, nil, fmt.Errorf("%w: a part of %d bytes where %d are left", ErrDamaged, n, len(data))
	}
	return data[:n:n], data[n:], nil
}

// decode reads the plain text of a segment. The pages share its memory.
func decode(data []byte) (content, error) {
	head, data, err := cut(data, maxFrame)
	if err != nil {
		return content{}, err
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) != 4 || lines[0] != segmentMagic || lines[3] != "" {
		return content{}, fmt.Errorf("%w: not a %s", ErrDamaged, segmentMagic)
	}
	c := content{origin: lines[1]}
	first, last, _ := strings.Cut(strings.TrimPrefix(lines[2], "pages "), " ")
	from, err1 := strconv.ParseUint(first, 10, 64)
	to, err2 := strconv.ParseUint(last, 10, 64)
	if err1 != nil || err2 != nil || from == 0 || to < from || to-from >= maxPages ||
		lines[2] != fmt.Sprintf("pages %d %d", from, to) {
		return content{}, fmt.Errorf("%w: the line %.60q", ErrDamaged, lines[2])
	}
	for number := from; number <= to; number++ {
		var body []byte
		if body, data, err = cut(data, maxFrame); err != nil {
			return content{}, err
		}
		c.pages = append(c.pages, eventstore.Page{Number: number, Body: body})
	}
	if c.checkpoint, data, err = cut(data, page.MaxCheckpoint); err == nil && len(data) > 0 {
		err = fmt.Errorf("%w: %d bytes after its end", ErrDamaged, len(data))
	}
	return c, err
}

// Recipients are whom an archive is encrypted to. Any one of their identities
// opens it.
type Recipients []age.Recipient

// ParseRecipients reads recipients of age: all of X25519 (age1…) or all hybrid,
// which withstand quantum computers too (age1pq1…). ErrRecipients.
func ParseRecipients(texts []string) (Recipients, error) {
	if len(texts) == 0 {
		return nil, fmt.Errorf("%w: none was given", ErrRecipients)
	}
	var all Recipients
	hybrid := 0
	for _, text := range texts {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(parsed) != 1 {
			return nil, fmt.Errorf("%w: %.70q is not a recipient of age", ErrRecipients, text)
		}
		switch parsed[0].(type) {
		case *age.X25519Recipient:
		case *age.HybridRecipient:
			hybrid++
		default:
			return nil, fmt.Errorf("%w: %.70q is of another kind than age1… and age1pq1…", ErrRecipients, text)
		}
		all = append(all, parsed[0])
	}
	if hybrid != 0 && hybrid != len(all) {
		return nil, fmt.Errorf("%w: age1… and age1pq1… do not go together: the weaker would open what the stronger protects", ErrRecipients)
	}
	return all, nil
}

// Identities open what was encrypted to their recipients.
type Identities []age.Identity

// ParseIdentities reads a file of age identities. ErrIdentity.
func ParseIdentities(r io.Reader) (Identities, error) {
	ids, err := age.ParseIdentities(r)
	if err != nil {
		return nil, fmt.Errorf("%w: not a file of age identities", ErrIdentity) // the error may quote a key
	}
	return ids, nil
}

// Of reports whether one of the identities is that of a recipient, as age writes it.
func (ids Identities) Of(recipients []string) bool {
	return slices.ContainsFunc(ids, func(id age.Identity) bool {
		switch id := id.(type) {
		case *age.X25519Identity:
			return slices.Contains(recipients, id.Recipient().String())
		case *age.HybridIdentity:
			return slices.Contains(recipients, id.Recipient().String())
		}
		return false
	})
}

func (to Recipients) seal(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecipients, err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("archive: encrypt: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("archive: encrypt: %w", err)
	}
	return out.Bytes(), nil
}

func (ids Identities) open(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), ids...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrIdentity
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		clear(plain)
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}
