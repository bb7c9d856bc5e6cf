package bookdir

import (
	"runtime/debug"
	"sync"
)

// bulkGarbage is how much garbage there may be in bulk work, in percent of what is in
// use: nearly all that it makes is gone at once, and collecting that as often as
// otherwise takes a fifth of its time.
const bulkGarbage = 200

var garbage struct {
	sync.Mutex
	works  int // how much bulk work is under way
	before int
}

// inBulkWork lets garbage be collected less often until what it gives is called. Who
// has set GOGC otherwise keeps that.
func inBulkWork() (done func()) {
	garbage.Lock()
	defer garbage.Unlock()
	if garbage.works++; garbage.works == 1 {
		garbage.before = debug.SetGCPercent(bulkGarbage)
		if garbage.before != 100 {
			debug.SetGCPercent(garbage.before)
		}
	}
	return func() {
		garbage.Lock()
		defer garbage.Unlock()
		if garbage.works--; garbage.works == 0 {
			debug.SetGCPercent(garbage.before)
		}
	}
}
