package keyring

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
)

// New makes a key. It is durable when New returns.
func (r *Ring) New(kind Kind) (KeyID, error) {
	ids, err := r.Reserve(kind, 1)
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// Reserve makes n keys, 1 to MaxReserve, with one flush: a pool made ahead.
// They are durable when Reserve returns; after an error none of them is.
func (r *Ring) Reserve(kind Kind, n int) ([]KeyID, error) {
	if !kind.known() || n < 1 || n > MaxReserve {
		return nil, fmt.Errorf("keyring: reserve %d keys of %v: %w", n, kind, ErrInvalid)
	}
	var ids []KeyID
	err := r.change(func() (err error) {
		ids, err = r.append(kind, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: reserve %d keys of %v: %w", n, kind, err)
	}
	return ids, nil
}

func (r *Ring) append(kind Kind, n int) ([]KeyID, error) {
	info, err := checkLength(r.file, r.head)
	if err != nil {
		return nil, err
	}
	before := slotsIn(info.Size())
	if before+int64(n) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: the ring is full", ErrInvalid)
	}
	ids, slots, keys := make([]KeyID, n), make([]byte, 0, n*slotSize), make([][KeySize]byte, n)
	defer clear(keys)
	for i := range ids {
		ids[i] = KeyID(before) + KeyID(i) + 1
		s := slot{state: live, kind: kind}
		if _, err := io.ReadFull(r.opts.rand, s.key[:]); err != nil {
			return nil, fmt.Errorf("read random bytes: %w", err)
		}
		if slots, err = r.keys.appendSlot(slots, r.head, ids[i], &s, r.opts.rand); err != nil {
			return nil, err
		}
		keys[i] = s.key
		clear(s.key[:])
	}
	_, err = r.file.WriteAt(slots, headerSize+before*slotSize)
	if err == nil {
		err = r.opts.sync(r.file)
	}
	if err != nil {
		// What may or may not be there was given to nobody: take it back, so
		// that the next append does not build on it.
		return nil, errors.Join(err, r.file.Truncate(headerSize+before*slotSize))
	}
	for i := range ids {
		r.cache.put(ids[i], &keys[i])
	}
	return ids, nil
}

// Key gives a copy of the key, which belongs to the caller. Errors:
// ErrDestroyed, ErrUnknownKey, ErrDamaged (naming the slot), ErrClosed, and
// ErrPassphrase if another process changed the root key since.
func (r *Ring) Key(id KeyID) ([]byte, error) {
	if key := r.cache.get(id); key != nil {
		return key, nil
	}
	var key []byte
	err := r.use(func() error {
		s, err := r.slot(id)
		if err != nil {
			return err
		}
		if s.state == destroyed {
			return ErrDestroyed
		}
		r.cache.put(id, &s.key)
		key = s.key[:]
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: key %d: %w", id, err)
	}
	return key, nil
}

// Kind tells what a key is for, also when it is destroyed. Errors:
// ErrUnknownKey, ErrDamaged, ErrClosed.
func (r *Ring) Kind(id KeyID) (Kind, error) {
	var kind Kind
	err := r.use(func() error {
		s, err := r.slot(id)
		if err != nil {
			return err
		}
		kind = s.kind
		clear(s.key[:])
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("keyring: kind of key %d: %w", id, err)
	}
	return kind, nil
}

// slot reads a slot. Where it does not open it may just be being written by
// another process, so it is read once more when none can be.
func (r *Ring) slot(id KeyID) (*slot, error) {
	s, err := r.readSlot(id)
	if err == nil || id == 0 {
		return s, err
	}
	err = withLock(r.path, false, func() error {
		err := r.refresh(r.reload)
		if err == nil {
			s, err = r.readSlot(id)
		}
		return err
	})
	return s, err
}

func (r *Ring) readSlot(id KeyID) (*slot, error) {
	if id == 0 {
		return nil, ErrUnknownKey
	}
	var b [slotSize]byte
	if _, err := r.file.ReadAt(b[:], slotOffset(id)); err != nil {
		if !errors.Is(err, io.EOF) {
			return nil, err
		}
		if uint32(id) <= r.head.slots {
			return nil, fmt.Errorf("slot %d is missing: %w", id, ErrDamaged)
		}
		return nil, ErrUnknownKey
	}
	return r.keys.openSlot(b[:], r.head, id)
}

// Note is what a destroyed slot holds in the place of its key: why it was
// destroyed, in a form that is the caller's. Nobody without the book key can
// write one. The zero Note says nothing.
type Note [KeySize]byte

// Destroy destroys keys for ever, with one flush: their slots are overwritten,
// durably when Destroy returns. To destroy a destroyed key is no error, and
// flushes again. If one of the ids is unknown (ErrUnknownKey) or its slot does
// not open (ErrDamaged), none is destroyed; after another error some may be.
func (r *Ring) Destroy(ids ...KeyID) error { return r.DestroyFor(Note{}, ids...) }

// DestroyFor destroys keys as Destroy does, and leaves a note in their places.
// It takes the place of another note, unless it is the zero one.
func (r *Ring) DestroyFor(note Note, ids ...KeyID) error {
	if len(ids) == 0 {
		return nil
	}
	err := r.change(func() error { return r.destroy(note, ids) })
	if err != nil {
		return fmt.Errorf("keyring: destroy: %w", err)
	}
	return nil
}

func (r *Ring) destroy(note Note, ids []KeyID) error {
	kinds := make(map[KeyID]Kind, len(ids))
	for _, id := range ids {
		s, err := r.readSlot(id)
		if err != nil {
			return fmt.Errorf("key %d: %w", id, err)
		}
		if s.state == live || note != (Note{}) && s.key != note {
			kinds[id] = s.kind
		}
		clear(s.key[:])
	}
	r.cache.drop(ids...)
	for _, id := range ids {
		kind, ok := kinds[id]
		if !ok {
			continue
		}
		b, err := r.keys.appendSlot(nil, r.head, id, &slot{state: destroyed, kind: kind, key: note}, r.opts.rand)
		if err != nil {
			return err
		}
		if _, err := r.file.WriteAt(b, slotOffset(id)); err != nil {
			return err
		}
	}
	// Even if all were destroyed before: whoever did it may have died before
	// the flush.
	return r.opts.sync(r.file)
}

// Destroyed reports whether a key was destroyed, and gives the note in its
// place. Errors: ErrUnknownKey, ErrDamaged, ErrClosed.
func (r *Ring) Destroyed(id KeyID) (note Note, gone bool, err error) {
	err = r.use(func() error {
		s, err := r.slot(id)
		if err != nil {
			return err
		}
		if gone = s.state == destroyed; gone {
			note = s.key
		}
		clear(s.key[:])
		return nil
	})
	if err != nil {
		return Note{}, false, fmt.Errorf("keyring: key %d: %w", id, err)
	}
	return note, gone, nil
}

// Forget drops keys from this process's cache: for keys that another process
// destroyed.
func (r *Ring) Forget(ids ...KeyID) { r.cache.drop(ids...) }

// ForgetAll drops all keys from this process's cache: they are read from the
// file again.
func (r *Ring) ForgetAll() { r.cache.dropAll() }

// Info is what may be told of a key.
type Info struct {
	ID        KeyID
	Kind      Kind
	Destroyed bool
	// Names are the names that point to it, sorted; most keys have none.
	Names []string
}

// List gives all keys in order, never their material, and the epoch of the book
// key that wraps them. It reads every slot.
func (r *Ring) List() (keys []Info, epoch uint64, err error) {
	err = r.use(func() error {
		return withLock(r.path, false, func() error {
			if err := r.refresh(r.reload); err != nil {
				return err
			}
			epoch = r.head.epoch
			names := make(map[KeyID][]string, len(r.head.names))
			for _, name := range slices.Sorted(maps.Keys(r.head.names)) {
				names[r.head.names[name]] = append(names[r.head.names[name]], name)
			}
			return r.scan(func(id KeyID, s *slot) error {
				keys = append(keys, Info{ID: id, Kind: s.kind, Destroyed: s.state == destroyed, Names: names[id]})
				return nil
			})
		})
	})
	if err != nil {
		return nil, 0, fmt.Errorf("keyring: list keys: %w", err)
	}
	return keys, epoch, nil
}

// IDs lists the live keys of a kind in order. It reads every slot.
func (r *Ring) IDs(kind Kind) ([]KeyID, error) {
	var ids []KeyID
	err := r.use(func() error {
		return withLock(r.path, false, func() error {
			if err := r.refresh(r.reload); err != nil {
				return err
			}
			return r.scan(func(id KeyID, s *slot) error {
				if s.kind == kind && s.state == live {
					ids = append(ids, id)
				}
				return nil
			})
		})
	})
	if err != nil {
		return nil, fmt.Errorf("keyring: list keys: %w", err)
	}
	return ids, nil
}

// Len is the number of slots, those of destroyed keys included.
func (r *Ring) Len() (int, error) {
	var n int64
	err := r.use(func() error {
		info, err := r.file.Stat()
		if err == nil {
			n = slotsIn(info.Size())
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keyring: count keys: %w", err)
	}
	return int(n), nil
}
