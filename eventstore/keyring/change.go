package keyring

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
)

// SetNamed makes name point to a key, durably when it returns; id 0 takes the
// name away. A name has 1 to 27 characters of a-z, 0-9 and -./_, such as
// "facts" or "view/invoices"; there are at most 24. The file is written anew,
// so this is for the few keys that a book starts from.
//
// Errors: ErrInvalid, ErrUnknownKey, ErrDestroyed, ErrDamaged if any slot of
// the ring is, ErrClosed. After an error that wraps none of these the name may
// point either way.
func (r *Ring) SetNamed(name string, id KeyID) error {
	err := r.change(func() error { return r.setNamed(name, id) })
	if err != nil {
		return fmt.Errorf("keyring: name key %d %.40q: %w", id, name, err)
	}
	return nil
}

func (r *Ring) setNamed(name string, id KeyID) error {
	if !validName(name) {
		return fmt.Errorf("%w: a name is 1 to %d of a-z, 0-9 and -./_", ErrInvalid, maxNameSize)
	}
	if r.head.names[name] == id {
		return nil
	}
	names := maps.Clone(r.head.names)
	if id == 0 {
		delete(names, name)
	} else {
		s, err := r.readSlot(id)
		if err != nil {
			return err
		}
		clear(s.key[:])
		if s.state == destroyed {
			return ErrDestroyed
		}
		names[name] = id
	}
	if len(names) > maxNames {
		return fmt.Errorf("%w: more than %d names", ErrInvalid, maxNames)
	}
	h := *r.head
	h.names = names
	return r.rewrite(&h, r.root)
}

// Named gives the key that name points to. Errors: ErrUnknownKey where there is
// no such name, ErrClosed.
func (r *Ring) Named(name string) (KeyID, error) {
	var id KeyID
	err := r.use(func() error {
		if id = r.head.names[name]; id == 0 {
			return ErrUnknownKey
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("keyring: named %.40q: %w", name, err)
	}
	return id, nil
}

// ChangeRoot makes another passphrase or key file open the ring, and the former
// one no longer, durably when it returns. All keys and ids stay; the book key
// is a new one. Other processes that have the ring open must open it again.
//
// Errors: ErrInvalid, ErrKeyFile, ErrDamaged if any slot of the ring is,
// ErrClosed; the former root then stays. After an error that wraps none of
// these either may open the ring.
func (r *Ring) ChangeRoot(root Root) error {
	var fresh header
	key, err := r.newRoot(&fresh, root)
	if err != nil {
		return fmt.Errorf("keyring: change root key: %w", err)
	}
	err = r.change(func() error {
		h := *r.head
		h.mode, h.param, h.salt = fresh.mode, fresh.param, fresh.salt
		return r.rewrite(&h, key)
	})
	if err != nil {
		return fmt.Errorf("keyring: change root key: %w", err)
	}
	return nil
}

// Rotate wraps every key under a new book key, durably when it returns: what is
// left on the disk of slots as they were opens no more. All keys, ids and names
// stay, and the same root key opens the ring.
//
// Errors: ErrDamaged if any slot of the ring is, ErrClosed.
func (r *Ring) Rotate() error {
	err := r.change(func() error {
		h := *r.head
		return r.rewrite(&h, r.root)
	})
	if err != nil {
		return fmt.Errorf("keyring: rotate the book key: %w", err)
	}
	return nil
}

// rewrite puts a file with the header h in the ring's place, with every key
// wrapped under a new book key, and that under root. The lock is held.
func (r *Ring) rewrite(h *header, root []byte) error {
	info, err := checkLength(r.file, r.head)
	if err != nil {
		return err
	}
	h.epoch++
	h.slots = uint32(slotsIn(info.Size()))
	encoded, keys, err := h.encode(root, r.opts.rand)
	if err != nil {
		return err
	}
	file, named, err := replace(r.path, r.opts.sync, func(w io.Writer) error {
		return r.rewrap(w, encoded, h, keys)
	})
	if !named {
		return err
	}
	old, wasRoot := r.file, r.root
	r.file = nil // still needed, so adopt must not close it
	defer old.Close()
	clear(r.keys.header[:])
	if r.root = root; &wasRoot[0] != &root[0] {
		clear(wasRoot)
	}
	r.unsettled = err != nil
	err = errors.Join(err, r.adopt(file, h, keys))
	if err != nil {
		// A power cut may yet bring the old file back: it must stay whole.
		return err
	}
	// What is left of the old file on the disk must open with no root key.
	if _, err := old.WriteAt(make([]byte, headerSize), 0); err != nil {
		return fmt.Errorf("done, but the former header could not be overwritten: %w", err)
	}
	if err := r.opts.sync(old); err != nil {
		return fmt.Errorf("done, but the former header could not be overwritten: %w", err)
	}
	return nil
}

// rewrap writes the header and every slot, wrapped anew.
func (r *Ring) rewrap(w io.Writer, encoded []byte, h *header, keys *bookKeys) error {
	out := bufio.NewWriterSize(w, 64<<10)
	if _, err := out.Write(encoded); err != nil {
		return err
	}
	buffer := make([]byte, 0, slotSize)
	err := r.scan(func(id KeyID, s *slot) error {
		b, err := keys.appendSlot(buffer, h, id, s, r.opts.rand)
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// scan opens every slot in order and ends at the first that does not open.
func (r *Ring) scan(visit func(KeyID, *slot) error) error {
	info, err := checkLength(r.file, r.head)
	if err != nil {
		return err
	}
	count := slotsIn(info.Size())
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, headerSize, count*slotSize), 64<<10)
	var b [slotSize]byte
	for id := KeyID(1); int64(id) <= count; id++ {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return fmt.Errorf("read slot %d: %w", id, err)
		}
		s, err := r.keys.openSlot(b[:], r.head, id)
		if err != nil && unwritten(b[:], r.head, id) {
			s, err = &slot{state: destroyed}, nil
		}
		if err != nil {
			return err
		}
		err = visit(id, s)
		clear(s.key[:])
		if err != nil {
			return err
		}
	}
	return nil
}
