package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/domain/codec"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// rowKey names what the writer knows: one letter for the kind, then the name. Its
// first eight bytes stand in the state file in clear: identifiers stand in the log in
// clear as well, and most begin with the time at which they were made, so that what is
// written together stands together. References are told from their first byte on by
// their digest alone.
type rowKey string

func streamKey(s domain.StreamID) rowKey { return rowKey("s" + string(s.ID[:]) + string(s.Kind)) }
func commandKey(id uuid.UUID) rowKey     { return rowKey("c" + string(id[:])) }
func subjectKey(id uuid.UUID) rowKey     { return rowKey("k" + string(id[:])) }
func referenceKey(r domain.Reference) rowKey {
	return rowKey("r" + noPlace + string(r.Kind) + "\x00" + r.Value)
}

func erasureKey(n erasuresRow) rowKey {
	return rowKey(binary.BigEndian.AppendUint32([]byte(erasuresKey), uint32(n)))
}

// noPlace fills the bytes of a key that stand in clear, after the first.
const noPlace = "\x00\x00\x00\x00\x00\x00\x00"

var _ = [1]struct{}{}[1+len(noPlace)-state.PlaceSize]

const (
	cursorKey = rowKey("cursor")
	// erasuresKey names how many erasures there are.
	erasuresKey = rowKey("e")
)

// streamRow is a stream's folded state.
type streamRow struct {
	Kind     domain.Kind
	Revision uint64
	State    domain.State
}

// commandRow is what is kept of a command for ever.
type commandRow struct {
	_        struct{} `cbor:",toarray"`
	Position uint64
	Page     uint64
	Recorded int64 // Unix microseconds
	Digest   [32]byte
	Entry    [32]byte
}

// referenceRow is the stream that a reference names; zero once that was erased.
type referenceRow domain.StreamID

// subjectRow is the live keys of a customer's personal data, the newest last.
type subjectRow struct {
	_ struct{} `cbor:",toarray"`
	// Contact keys seal what stands on no document, Documents keys the rest. A
	// book that is older than the difference has keys that seal both.
	Contact, Documents []keyring.KeyID
}

// erasureRow is an erasure that the log holds.
type erasureRow struct {
	_              struct{} `cbor:",toarray"`
	Customer       uuid.UUID
	Keys           []keyring.KeyID
	Page, Position uint64
}

// erasuresRow is the number of erasures.
type erasuresRow uint32

// update is one row that a commit changes.
type update struct {
	key   rowKey
	value any // streamRow, commandRow, referenceRow, subjectRow, erasureRow or erasuresRow
}

// version is a row's value as of a commit.
type version struct {
	value    any
	position uint64
}

// overlay answers what is true now, newest first: what was decided and is not
// yet durable; what is durable and not yet in the state file; what was read or
// written lately; the state file. It is guarded by the writer's mutex.
type overlay struct {
	file      *state.File
	pending   map[rowKey]version
	unwritten map[rowKey]version
	// Two generations bound the cache: when the young one is full it becomes
	// the old one, and what is used moves back.
	young, old map[rowKey]any
	limit      int
	// moving is the write of rows that move began; nil while there is none.
	moving *moving
}

// moving is a write of rows to the state file that is under way.
type moving struct {
	keys []rowKey
	size uint64
	done chan error
}

// errStates means that the state file could not be read, which says nothing of the log.
var errStates = errors.New("ledger: read the states")

func newOverlay(file *state.File, limit int) *overlay {
	return &overlay{
		file:    file,
		pending: make(map[rowKey]version), unwritten: make(map[rowKey]version),
		young: make(map[rowKey]any), old: make(map[rowKey]any), limit: limit,
	}
}

// get gives a row's newest value, or nil.
func (o *overlay) get(key rowKey) (any, error) {
	if v, found := o.pending[key]; found {
		return v.value, nil
	}
	return o.durable(key)
}

// durable gives a row's newest durable value, or nil.
func (o *overlay) durable(key rowKey) (any, error) {
	if v, found := o.unwritten[key]; found {
		return v.value, nil
	}
	if v, found := o.young[key]; found {
		return v, nil
	}
	if v, found := o.old[key]; found {
		o.remember(key, v)
		return v, nil
	}
	data, found, err := o.file.Get([]byte(key))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStates, err)
	}
	if !found {
		return nil, nil
	}
	value, err := decodeRow(key, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStates, err)
	}
	o.remember(key, value)
	return value, nil
}

func (o *overlay) remember(key rowKey, value any) {
	if key[0] == 'c' {
		return // a command id is asked for once
	}
	if len(o.young) >= o.limit {
		o.young, o.old = make(map[rowKey]any), o.young
	}
	o.young[key] = value
}

// decided makes a commit's rows count for the next decision.
func (o *overlay) decided(position uint64, updates []update) {
	for _, u := range updates {
		o.pending[u.key] = version{u.value, position}
	}
}

// acknowledged makes a commit's rows durable.
func (o *overlay) acknowledged(position uint64, updates []update) {
	for _, u := range updates {
		o.unwritten[u.key] = version{u.value, position}
		if v, found := o.pending[u.key]; found && v.position == position {
			delete(o.pending, u.key)
		}
	}
}

// dropped forgets everything undurable.
func (o *overlay) dropped() { clear(o.pending) }

// written tells that the rows of the commits before size are in the state file.
func (o *overlay) written(keys []rowKey, size uint64) {
	for _, key := range keys {
		if v, found := o.unwritten[key]; found && v.position < size {
			delete(o.unwritten, key)
			o.remember(key, v.value)
		}
	}
}

// waiting is how many durable rows wait to be written, and are not being written.
func (o *overlay) waiting() int {
	if o.moving != nil {
		return len(o.unwritten) - len(o.moving.keys)
	}
	return len(o.unwritten)
}

// move begins to write the durable rows that wait to the file, with others, all or
// none: after so many commits. It waits for the write before, and returns its error;
// what that did not write waits still. It is for whoever has the overlay alone.
func (o *overlay) move(size uint64, more ...state.Row) error {
	if err := o.moved(); err != nil {
		return err
	}
	m := &moving{size: size, done: make(chan error, 1)}
	values := make([]any, 0, len(o.unwritten)) // which nobody changes: a newer one takes their place
	for key, v := range o.unwritten {
		m.keys, values = append(m.keys, key), append(values, v.value)
	}
	o.moving = m
	go func() {
		rows := make([]state.Row, 0, len(values)+len(more))
		for i, value := range values {
			data, err := encodeRow(value)
			if err != nil {
				m.done <- err
				return
			}
			rows = append(rows, state.Row{Key: []byte(m.keys[i]), Value: data})
		}
		m.done <- o.file.Write(append(rows, more...))
	}()
	return nil
}

// moved waits for the write that is under way. The file may be closed after that.
func (o *overlay) moved() error {
	m := o.moving
	if m == nil {
		return nil
	}
	o.moving = nil
	if err := <-m.done; err != nil {
		return err
	}
	o.written(m.keys, m.size)
	return nil
}

// forms identifies the forms in which this release keeps rows: a state file of
// others is made anew. The states tell their own; the version is of the rest.
func forms() ([32]byte, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, "version 4")
	for _, kind := range append(domain.Kinds(), domain.KindStanding) {
		zero, err := codec.NewState(kind)
		if err != nil {
			return [32]byte{}, err
		}
		data, err := codec.EncodeState(kind, zero)
		if err != nil {
			return [32]byte{}, err
		}
		fmt.Fprintf(digest, "%s %x\n", kind, data)
	}
	return [32]byte(digest.Sum(nil)), nil
}

func encodeRow(value any) ([]byte, error) {
	switch v := value.(type) {
	case streamRow:
		data, err := codec.EncodeState(v.Kind, v.State)
		if err != nil {
			return nil, err
		}
		return cbor.Marshal([]any{v.Revision, data})
	case referenceRow:
		if v == (referenceRow{}) {
			return nil, nil
		}
		return []byte(domain.StreamID(v).String()), nil
	case commandRow, subjectRow, erasureRow, erasuresRow:
		return cbor.Marshal(v)
	default:
		return nil, fmt.Errorf("ledger: a row of type %T", value)
	}
}

func decodeRow(key rowKey, data []byte) (any, error) {
	value, err := decode(key, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", state.ErrDamaged, err)
	}
	return value, nil
}

func decode(key rowKey, data []byte) (any, error) {
	switch key[0] {
	case 's':
		var row struct {
			_        struct{} `cbor:",toarray"`
			Revision uint64
			State    []byte
		}
		if err := cbor.Unmarshal(data, &row); err != nil {
			return nil, err
		}
		kind := domain.Kind(key[1+len(uuid.UUID{}):])
		s, err := codec.DecodeState(kind, row.State)
		return streamRow{kind, row.Revision, s}, err
	case 'r':
		if len(data) == 0 {
			return referenceRow{}, nil
		}
		id, err := domain.ParseStreamID(string(data))
		return referenceRow(id), err
	case 'c':
		var row commandRow
		err := cbor.Unmarshal(data, &row)
		return row, err
	case 'k':
		var row subjectRow
		err := cbor.Unmarshal(data, &row)
		return row, err
	case 'e':
		if key == erasuresKey {
			var row erasuresRow
			err := cbor.Unmarshal(data, &row)
			return row, err
		}
		var row erasureRow
		err := cbor.Unmarshal(data, &row)
		return row, err
	default:
		return nil, fmt.Errorf("ledger: a row of kind %q", key[0])
	}
}

// states shows an overlay to Decide.
type states struct{ *overlay }

func (s states) State(id domain.StreamID) (domain.State, error) {
	row, err := s.stream(id)
	return row.State, err
}

func (s states) Find(r domain.Reference) (domain.StreamID, bool, error) {
	value, err := s.get(referenceKey(r))
	if value == nil || value == (referenceRow{}) || err != nil {
		return domain.StreamID{}, false, err
	}
	return domain.StreamID(value.(referenceRow)), true, nil
}

func (o *overlay) stream(id domain.StreamID) (streamRow, error) {
	value, err := o.get(streamKey(id))
	if value == nil || err != nil {
		return streamRow{}, err
	}
	return value.(streamRow), nil
}

func (o *overlay) erasures() (erasuresRow, error) {
	value, err := o.get(erasuresKey)
	if value == nil || err != nil {
		return 0, err
	}
	return value.(erasuresRow), nil
}
