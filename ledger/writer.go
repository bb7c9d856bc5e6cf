package ledger

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/eventstore"
	"github.com/daybook-ledger/daybook/eventstore/head"
	"github.com/daybook-ledger/daybook/eventstore/keyring"
	"github.com/daybook-ledger/daybook/eventstore/page"
	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/ledger/commit"
	"github.com/daybook-ledger/daybook/ledger/state"
)

// Clock tells the time.
type Clock struct {
	// Now is the wall clock.
	Now func() time.Time
	// Elapsed is a clock that nobody can set and that goes on while the machine
	// sleeps; only differences count.
	Elapsed func() time.Duration
}

// Config is what a writer is made of. The writer closes none of it.
type Config struct {
	Book  uuid.UUID
	Epoch uint64
	Store eventstore.Store
	// Signer signs the pages and checkpoints of this log.
	Signer *page.Signer
	// Codec seals and opens commits.
	Codec *commit.Codec
	// Keys makes the keys of new customers.
	Keys *keyring.Ring
	// TreePath is the file of the Merkle log's hashes. It is made anew from the
	// log when it is missing or does not fit. Empty: the tree is kept in memory.
	TreePath string
	// Head is the remembered head.
	Head *head.File
	// State is the state file, empty or behind the log, and StateKey the id of the
	// key that it is under.
	State    *state.File
	StateKey keyring.KeyID
	// Facts gives the key that seals accounting facts from now on. Keys of
	// customers that are older seal nothing any more.
	Facts func() (keyring.KeyID, error)
	// Beyond are erasures that the log says where this copy of it does not reach: of a
	// copy that takes no commands and so cannot enter them.
	Beyond []commit.Beyond
	// Renew begins a state file beside the one in use: after an erasure.
	Renew func() (Renewed, error)
	Clock Clock
	Log   *slog.Logger

	// PageTarget is the size in bytes at which a page takes no more commits;
	// 512 KiB when 0.
	PageTarget int
	// AppendWithin is how long one append may take before it counts as
	// unclear; 10 s when 0.
	AppendWithin time.Duration
	// CacheRows bounds each of the two generations of cached rows; 32,768
	// when 0.
	CacheRows int
	// Room gives the refusal of a new command while there is no room to keep it;
	// may be nil. Commands that the book holds already are answered all the same.
	Room func() error
	// Archive is a second place that may have to have a page before any receipt is
	// given for it; may be nil.
	Archive Archive
	// AnswerWithin is how long commands wait for a log or an archive that does not
	// answer, or fails and is tried again; 10 s when 0. Then they are answered all the
	// same: those under way with ErrOutcomeUnknown, others with the refusal log-behind
	// or archive-behind.
	AnswerWithin time.Duration
	// Progress is told how many pages of how many were folded while the writer
	// opens; may be nil.
	Progress func(done, last uint64)
	// Folded is given each page that was folded while the writer opens, and the edge of
	// the tree after it; may be nil.
	Folded func(commit.Page, page.Edge) error

	// step is called at each named step of a command's way: for tests, which
	// end the process there.
	step func(string)
}

// at marks a step of a command's way. It reads nothing else of the Config: the
// flusher may be replacing the state file meanwhile.
func (c *Config) at(step string) {
	if c.step != nil {
		c.step(step)
	}
}

// Bounds of what waits in memory.
const (
	maxWaiting   = 4096    // commits decided and undurable
	maxUnwritten = 128_000 // rows durable and not yet in the state file
	// maxCommand bounds an encoded command, so that its commit, which may hold
	// the content several times, always fits into a page.
	maxCommand = 1 << 20
	maxJump    = 5 * time.Minute
	// lookEvery is how long a rotation of keys may go unnoticed.
	lookEvery = time.Second
)

// Writer is a book's one writer. It is safe for concurrent use.
type Writer struct {
	Config
	// unsettled is the context of work that outlives its caller, until it is
	// settled; stop ends it.
	unsettled context.Context
	stop      context.CancelFunc
	requests  chan *request
	look      chan struct{} // nudges the deciding loop
	sealing   chan *entry
	loops     sync.WaitGroup

	// What follows belongs to the flusher, or to whoever runs alone: Open, and the first
	// command's takeover. Only they append to the tree.
	head page.Head
	tree *transparency.Tree
	// erased is how many erasures had their keys destroyed, and renewal makes the states
	// anew that do not know of them; nil where nothing does.
	erased  int
	renewal *renewal

	mu      sync.Mutex
	changed *sync.Cond // on mu: any of the following has changed
	over    *overlay
	redo    []*request             // to be decided, in order: those again that were dropped, and a newcomer
	under   map[uuid.UUID]*request // those whose commits are pending, by command id
	pending []*entry               // decided and undurable, in order
	next    uint64                 // the position of the next commit
	// recorded is the newest recorded time, durable one of durable commits.
	recorded, durable time.Time
	sequence          uint64
	durableHead       page.Head
	newestKey         keyring.KeyID // the highest that durable commits use
	checkpoint        []byte        // of durableHead, nil until it is needed
	writes            []write
	facts             keyring.KeyID   // seals the facts of the next commits
	looked            time.Duration   // when it was looked up
	spare             []keyring.KeyID // flushed subject keys that nobody uses yet
	pool              int             // how many keys the next reservation makes
	closing           bool
	erasing           []erasing   // durable, and not answered yet
	folding           bool        // the log is being caught up with
	stalled           bool        // the log is being read again: nothing can be decided
	condemned         bool        // the state file is damaged, and must not outlive the writer
	broken            error       // why no command can be taken any more
	unclear           error       // why no receipt can be given at present, nil once settled
	behind            error       // why commands are refused until a delay is over; nil while they are not
	needed            func() bool // as that delay has it

	wall    time.Time
	elapsed time.Duration
	forms   [32]byte // of the state file's rows
}

// entry is a decided commit on its way to durability.
type entry struct {
	request *request
	commit  commit.Commit
	updates []update
	refused []refused // refusals that saw this commit and none later
	sealed  chan struct{}
	bytes   []byte // valid once sealed is closed, and err nil
	err     error
}

type refused struct {
	request *request
	refusal error
}

// Open brings the writer's state up to the end of the log and starts it. It
// writes nothing to the log: the first command does that, with a barrier.
//
// ErrLogShort and ErrContradiction mean that the log is not the one that was
// acknowledged. An error that wraps state.ErrDamaged means that the state file
// must be removed, to be made anew from the log.
func Open(ctx context.Context, cfg Config) (*Writer, error) {
	if cfg.PageTarget == 0 {
		cfg.PageTarget = 512 << 10
	}
	if cfg.AppendWithin == 0 {
		cfg.AppendWithin = 10 * time.Second
	}
	if cfg.AnswerWithin == 0 {
		cfg.AnswerWithin = 10 * time.Second
	}
	if cfg.CacheRows == 0 {
		cfg.CacheRows = 32 << 10
	}
	w := &Writer{
		Config:   cfg,
		requests: make(chan *request), look: make(chan struct{}, 1), sealing: make(chan *entry, maxWaiting),
		over: newOverlay(cfg.State, cfg.CacheRows), under: make(map[uuid.UUID]*request),
		pool: 1, wall: cfg.Clock.Now(), elapsed: cfg.Clock.Elapsed(),
	}
	w.changed = sync.NewCond(&w.mu)
	w.unsettled, w.stop = context.WithCancel(context.Background())
	w.loops.Go(w.persist)
	unhook := context.AfterFunc(ctx, w.wake) // start may wait for room in memory
	err := w.start(ctx)
	w.Folded = nil // others are told of later pages
	unhook()
	if err != nil {
		w.shut()
		w.loops.Wait()
		err = errors.Join(err, w.abandonRenewal())
		if w.tree != nil {
			err = errors.Join(err, w.tree.Close())
		}
		return nil, err
	}
	w.loops.Go(w.decide)
	w.loops.Go(w.flush)
	for range runtime.GOMAXPROCS(0) {
		w.loops.Go(w.seal)
	}
	return w, nil
}

// Close waits until every command that was decided is settled, or the context
// ends, and then until the state file has what is durable. Commands that were
// not decided yet are answered with ErrClosed. It does not wait for a delay that
// commands are refused for, nor for states that cannot be made anew at present: the next
// writer does.
func (w *Writer) Close(ctx context.Context) error {
	abandon := context.AfterFunc(ctx, w.shut)
	defer abandon()
	w.mu.Lock()
	w.closing = true
	w.nudge()
	for (len(w.pending) > 0 || len(w.redo) > 0 || len(w.erasing) > 0 && !w.renewsLate()) && w.broken == nil && w.behind == nil && w.unsettled.Err() == nil {
		w.changed.Wait()
	}
	w.mu.Unlock()
	w.shut()
	w.loops.Wait()
	return errors.Join(w.abandonRenewal(), w.tree.Sync(), w.tree.Close())
}

// shut ends the loops.
func (w *Writer) shut() {
	w.stop()
	w.wake()
}

// wake makes whoever waits for a change look again.
func (w *Writer) wake() {
	w.mu.Lock()
	w.changed.Broadcast()
	w.mu.Unlock()
}

// Find implements Book.
func (w *Writer) Find(ctx context.Context, r domain.Reference) (domain.StreamID, bool, error) {
	defer context.AfterFunc(ctx, w.wake)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.stalled && w.broken == nil && w.unsettled.Err() == nil && ctx.Err() == nil {
		w.changed.Wait() // what is known now is known in part
	}
	if w.stalled && ctx.Err() != nil {
		return domain.StreamID{}, false, context.Cause(ctx)
	}
	if w.broken != nil {
		return domain.StreamID{}, false, w.broken
	}
	stream, found, err := states{w.over}.Find(r)
	return stream, found, w.condemn(err)
}

// Durable is the log's state as far as it was acknowledged and remembered.
func (w *Writer) Durable() page.Head {
	w.mu.Lock()
	defer w.mu.Unlock()
	if remembered := w.Head.Head().Head; w.archives() && remembered.Page < w.durableHead.Page {
		return remembered // what follows is in the log, and not in the archive yet
	}
	return w.durableHead
}

// ProveRecord proves that a commit is in the log of a size.
func (w *Writer) ProveRecord(position, size uint64) (tlog.RecordProof, error) {
	return w.tree.ProveRecord(position, size)
}

// ProveTree proves that the log of a size begins with the log of an older size.
func (w *Writer) ProveTree(old, size uint64) (tlog.TreeProof, error) {
	return w.tree.ProveTree(old, size)
}

// Unsettled tells why the outcome of an append is unclear, or its receipts cannot
// be given; nil when neither is so.
func (w *Writer) Unsettled() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unclear
}

// fail ends the writer's work: nothing that it could still do would be sound.
func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = err
	}
	for _, e := range w.pending {
		e.request.giveUp(err)
		for _, r := range e.refused {
			r.request.giveUp(err)
		}
	}
	for _, r := range w.redo {
		r.giveUp(err)
	}
	for _, e := range w.erasing {
		e.request.giveUp(err)
	}
	w.pending, w.redo, w.erasing = nil, nil, nil
	clear(w.under)
	w.over.dropped()
	w.changed.Broadcast()
}

// errStopped ends a loop when the writer closes.
var errStopped = errors.New("ledger: stopped")
