package campaign

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/ledger"
)

func init() { follow = followClock }

// hands is a file that says by how many seconds the clock of a process is set
// otherwise than the machine's, which stays as it is.
type hands struct {
	path string
	at   time.Duration
}

func newHands(t *testing.T) *hands {
	h := &hands{path: filepath.Join(t.TempDir(), "clock")}
	h.set(t, 0)
	return h
}

// set sets the clock of whoever follows it.
func (h *hands) set(t *testing.T, at time.Duration) {
	t.Helper()
	h.at = at
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(int64(at/time.Second))), 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	note("the clock set to %s ahead of the machine's", at)
}

// followClock has everything in this process see the wall clock as a file sets it:
// the program, and the server within it. Go asks the kernel's page of code for the
// time, which is this process's to write to; what is written there asks the kernel and
// adds what the file says. Clocks that nobody can set go on as they are.
func followClock(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	offset, err := unix.MmapPtr(int(f.Fd()), 0, nil, 8, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	start, stop, err := vdso()
	if err != nil {
		return err
	}
	page := unsafe.Slice((*byte)(pointer(start)), stop-start)
	at, err := timeCall(page)
	if err != nil {
		return err
	}
	code := []byte{
		0xB8, 0xE4, 0, 0, 0, // mov eax, clock_gettime
		0x0F, 0x05, // syscall
		0x85, 0xFF, // test edi, edi: the wall clock is 0
		0x75, 0x10, // jne to the end
		0x48, 0xB9, // mov rcx, the address of the offset
	}
	code = binary.LittleEndian.AppendUint64(code, uint64(uintptr(offset)))
	code = append(code,
		0x48, 0x8B, 0x09, // mov rcx, [rcx]
		0x48, 0x01, 0x0E, // add [rsi], rcx: the seconds
		0xC3) // ret
	const size = 4096
	for far := int64(-1 << 30); ; far += 1 << 16 { // somewhere near enough to jump to
		if far > 1<<30 {
			return fmt.Errorf("there is no room near the kernel's code: %w", err)
		}
		var near unsafe.Pointer
		near, err = unix.MmapPtr(-1, 0, pointer(uintptr(int64(start)+far)), size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE)
		if err != nil {
			continue
		}
		room := unsafe.Slice((*byte)(near), size)
		copy(room, code)
		err = unix.Mprotect(room, unix.PROT_READ|unix.PROT_EXEC)
		if err == nil {
			err = unix.Mprotect(page, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC)
		}
		if err != nil {
			return err
		}
		// In one write, for other threads ask for the time meanwhile.
		first := slices.Clone(page[at : at+8])
		first[0] = 0xE9 // jmp
		binary.LittleEndian.PutUint32(first[1:], uint32(int32(int64(uintptr(near))-int64(start+at+5))))
		atomic.StoreUint64((*uint64)(unsafe.Pointer(&page[at])), binary.LittleEndian.Uint64(first))
		return unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)
	}
}

// pointer is an address as a pointer to what no garbage collector knows.
func pointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }

// vdso is where the kernel's code lies in this process.
func vdso() (start, stop uintptr, err error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			_, err := fmt.Sscanf(line, "%x-%x", &start, &stop)
			return start, stop, err
		}
	}
	return 0, 0, errors.New("the kernel has no code in this process")
}

// timeCall is where in the kernel's code it is asked for the time.
func timeCall(code []byte) (uintptr, error) {
	file, err := elf.NewFile(bytes.NewReader(code))
	if err != nil {
		return 0, err
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" && s.Value%8 == 0 && s.Value+8 <= uint64(len(code)) {
			return uintptr(s.Value), nil
		}
	}
	return 0, errors.New("the kernel's code does not tell the time")
}

// TestClockJumps: the clock of a process jumps while it writes to a book: by minutes,
// by hours forward or back and then right again, and across a restart. While it is
// wrong by more than five minutes commands are refused, and given again under their
// ids later; nothing is recorded at a time that was wrong, and recorded times never go
// back.
func TestClockJumps(t *testing.T) {
	random := seeded(t)
	r := row{name: "the clock jumps by minutes, and by hours forward and back, under load and across restarts", note: "for the whole process; `clock-jumped` while it is wrong is no wrong refusal"}
	for range runs(1, 10) {
		r.runs++
		// The book begins two days ago, so that time can be let go on in jumps.
		c := &clocked{t: t, dir: filepath.Join(t.TempDir(), "book"), hands: newHands(t), random: random, r: &r}
		c.hands.set(t, -48*time.Hour)
		newBookIn(t, c.dir, ahead(c.hands.at))
		c.right(c.hands.at)
		steps := []func(){c.byMinutes, c.andRight, c.andRight, c.passes, c.againBehind}
		random.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, step := range steps {
			step()
		}
		finish(t, c.dir, &c.h)
		c.spans[len(c.spans)-1].until = time.Now()
		c.right(0) // for what this process gave
		c.h.judge(t, c.dir, &r)
		c.spans[len(c.spans)-1].until = time.Now()
		c.recorded()
		if t.Failed() {
			break
		}
	}
	tell(t, r)
}

// ahead is the machine's clock, set otherwise.
func ahead(by time.Duration) ledger.Clock {
	c := bookdir.SystemClock()
	now := c.Now
	c.Now = func() time.Time { return now().Add(by) }
	return c
}

// clocked is a book that is written to while the clock jumps.
type clocked struct {
	t      *testing.T
	dir    string
	hands  *hands
	random *rand.Rand
	r      *row
	h      history
	spans  []span
}

// span is a while in which a clock was right that was set so.
type span struct {
	at          time.Duration
	from, until time.Time
}

// right says that from now on the clock is right when it is set so.
func (c *clocked) right(at time.Duration) {
	if n := len(c.spans); n > 0 && c.spans[n-1].until.IsZero() {
		c.spans[n-1].until = time.Now()
	}
	c.spans = append(c.spans, span{at: at, from: time.Now()})
}

// recorded holds the times in the log against those that were right. They are as far
// from wrong ones as hours, but minutes are let pass.
func (c *clocked) recorded() {
	const slack = 5 * time.Minute
	for _, micros := range c.h.recorded {
		at := time.UnixMicro(micros)
		if !slices.ContainsFunc(c.spans, func(s span) bool {
			return !at.Before(s.from.Add(s.at-slack)) && !at.After(s.until.Add(s.at+slack))
		}) {
			c.t.Errorf("a commit was recorded at %s, when no clock was right that said so: %+v", at, c.spans)
			return
		}
	}
}

// start starts a child that follows the clock.
func (c *clocked) start() (*exec.Cmd, *output) {
	return start(c.t, c.dir, c.h.open, followed+"="+c.hands.path)
}

func (c *clocked) sleep(most time.Duration) { time.Sleep(time.Duration(c.random.Int64N(int64(most)))) }

// jump sets the clock, which is a fault, and tells how much a child had said by then.
func (c *clocked) jump(said *output, at time.Duration) int {
	c.t.Helper()
	before := len(said.text())
	c.hands.set(c.t, at)
	c.r.faults++
	return before
}

// hours is a random while of hours.
func (c *clocked) hours() time.Duration {
	return time.Duration(60+c.random.IntN(9*60)) * time.Minute
}

const refused = " clock-jumped: "

// byMinutes: jumps of less than five minutes refuse nothing.
func (c *clocked) byMinutes() {
	child, said := c.start()
	defer kill(child)
	right := c.hands.at
	waits(c.t, said, 0, "receipt ")
	for range 4 {
		c.sleep(100 * time.Millisecond)
		before := c.jump(said, right+time.Duration(c.random.IntN(240)-120)*time.Second)
		waits(c.t, said, before, "receipt ")
	}
	c.jump(said, right)
	c.sleep(100 * time.Millisecond)
	kill(child)
	c.h.add(c.t, said.text())
}

// away is the clock set wrong by hours, under load.
func (c *clocked) away(said *output, by time.Duration) (before int) {
	c.t.Helper()
	waits(c.t, said, 0, "receipt ")
	c.sleep(200 * time.Millisecond)
	before = c.jump(said, c.hands.at+by)
	waits(c.t, said, before, refused)
	c.sleep(200 * time.Millisecond)
	return before
}

// andRight: the clock jumps by hours, either way, and is set right again. Then
// commands go on without a restart; meanwhile the book can be read.
func (c *clocked) andRight() {
	child, said := c.start()
	defer kill(child)
	right, by := c.hands.at, c.hours()
	if c.random.IntN(2) == 0 {
		by = -by
	}
	before := c.away(said, by)
	readable(c.t, c.dir)
	waits(c.t, said, c.jump(said, right), "receipt ")
	until := len(said.text()) // commands that are sent from now on have no excuse
	c.sleep(100 * time.Millisecond)
	kill(child)
	c.h.add(c.t, forgiven(said.text(), before, until))
}

// passes: the clock jumps forward, and the process is killed and started again. Then
// it is the clock that it knows.
func (c *clocked) passes() {
	child, said := c.start()
	defer kill(child)
	before := c.away(said, c.hours())
	kill(child)
	c.h.add(c.t, forgiven(said.text(), before, len(said.text())))
	c.right(c.hands.at)
	child, said = c.start()
	defer kill(child)
	waits(c.t, said, 0, "receipt ")
	c.sleep(100 * time.Millisecond)
	kill(child)
	c.h.add(c.t, said.text())
}

// againBehind: the clock jumps back, and the process is killed and started again. Its
// clock is before what is recorded, so it refuses, also when it is set right, for then
// it jumped; started once more it goes on.
func (c *clocked) againBehind() {
	child, said := c.start()
	defer kill(child)
	right := c.hands.at
	before := c.away(said, -c.hours())
	kill(child)
	c.h.add(c.t, forgiven(said.text(), before, len(said.text())))
	open := slices.Clone(c.h.open) // some may be in the log, and are answered
	child, said = c.start()
	defer kill(child)
	waits(c.t, said, 0, refused)
	c.sleep(100 * time.Millisecond)
	before = c.jump(said, right)
	waits(c.t, said, before, refused)
	kill(child)
	text := said.text()
	for line := range strings.Lines(text) {
		rest, is := strings.CutPrefix(line, "receipt ")
		id, _, _ := strings.Cut(rest, " ")
		if is && !slices.ContainsFunc(open, func(o uuid.UUID) bool { return o.String() == id }) {
			c.t.Errorf("a process that was started %s before what was recorded gave a receipt for %s", right-c.hands.at, id)
		}
	}
	c.h.add(c.t, forgiven(text, 0, len(text)))
}

// forgiven is what a child said without what it refused for its clock after it had
// said so much, of the commands that it sent before it had said as much as until: they
// are given again.
func forgiven(said string, from, until int) string {
	sent := map[string]bool{}
	var b strings.Builder
	at := 0
	for line := range strings.Lines(said) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		id, why, _ := strings.Cut(rest, " ")
		sent[id] = sent[id] || kind == "sent" && at < until
		if at += len(line); kind != "refused" || at < from || !sent[id] || !strings.HasPrefix(why, strings.TrimLeft(refused, " ")) {
			b.WriteString(line)
		}
	}
	return b.String()
}
