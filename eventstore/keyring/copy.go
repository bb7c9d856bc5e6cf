package keyring

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Copy is a ring as it was at a moment, and the root key that opens it: whoever
// has it has every key. It is for an archive, which seals it.
type Copy struct {
	// File is the ring's file.
	File []byte
	// Root is the root key, which the receiver wipes.
	Root []byte
}

// Copy gives the ring as it is now. Errors: ErrClosed, ErrMissing, ErrDamaged.
func (r *Ring) Copy() (Copy, error) {
	var c Copy
	err := r.use(func() error {
		return withLock(r.path, false, func() error {
			if err := r.refresh(r.reload); err != nil {
				return err
			}
			info, err := checkLength(r.file, r.head)
			if err != nil {
				return err
			}
			c.File = make([]byte, headerSize+slotsIn(info.Size())*slotSize)
			if _, err := io.ReadFull(io.NewSectionReader(r.file, 0, math.MaxInt64), c.File); err != nil {
				return err
			}
			c.Root = append([]byte(nil), r.root...)
			return nil
		})
	})
	if err != nil {
		return Copy{}, fmt.Errorf("keyring: copy: %w", err)
	}
	return c, nil
}

// Restore makes a ring at path from a copy. From then on root opens it, and the
// copy's root key no longer; every key is wrapped under a new book key. A file at
// path is left alone. Errors: ErrExists, ErrPassphrase where the copy's root key
// is not that of its file, ErrDamaged, ErrNewer, ErrKeyFile, ErrInvalid.
func Restore(path string, c Copy, root Root, given ...Option) (*Ring, error) {
	r, err := newRing(path, given)
	if err == nil {
		err = r.restore(c, root)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: restore %s: %w", path, err)
	}
	return r, nil
}

func (r *Ring) restore(c Copy, root Root) error {
	if len(c.File) < headerSize || len(c.Root) != KeySize {
		return fmt.Errorf("%w: not a copy of a key ring", ErrDamaged)
	}
	h, err := decodeHeader(c.File[:headerSize])
	if err != nil {
		return err
	}
	keys, err := h.unlock(c.File[:headerSize], c.Root)
	if err != nil {
		return err
	}
	fresh := *h
	key, err := r.newRoot(&fresh, root)
	if err != nil {
		return err
	}
	r.root = append([]byte(nil), c.Root...)
	return withLock(r.path, true, func() error {
		if err := r.absent(); err != nil {
			return err
		}
		file, named, err := replace(r.path, r.opts.sync, func(w io.Writer) error {
			_, err := w.Write(c.File)
			return err
		})
		if err == nil {
			err = r.adopt(file, h, keys) // it closes the file where it fails
		}
		if err == nil {
			if err = r.rewrite(&fresh, key); err != nil {
				_ = r.file.Close()
			}
		}
		if err != nil && named {
			err = errors.Join(err, os.Remove(r.path))
		}
		return err
	})
}

// Check opens every slot of a copy, and gives how many there are. Errors:
// ErrPassphrase where the root key is not that of the file, ErrDamaged, ErrNewer.
func (c Copy) Check() (slots int, err error) {
	if len(c.File) < headerSize || len(c.Root) != KeySize {
		return 0, fmt.Errorf("keyring: %w: not a copy of a key ring", ErrDamaged)
	}
	h, err := decodeHeader(c.File[:headerSize])
	if err != nil {
		return 0, fmt.Errorf("keyring: %w", err)
	}
	keys, err := h.unlock(c.File[:headerSize], c.Root)
	if err != nil {
		return 0, fmt.Errorf("keyring: %w", err)
	}
	defer clear(keys.header[:])
	slots = int(slotsIn(int64(len(c.File))))
	if uint32(slots) < h.slots {
		return 0, fmt.Errorf("keyring: %w: %d slots where at least %d were written", ErrDamaged, slots, h.slots)
	}
	for id := KeyID(1); int(id) <= slots; id++ {
		at := slotOffset(id)
		s, err := keys.openSlot(c.File[at:at+slotSize], h, id)
		if err != nil {
			return 0, fmt.Errorf("keyring: %w", err)
		}
		clear(s.key[:])
	}
	return slots, nil
}
