package bookdir

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/daybook-ledger/daybook/ledger"
)

// SystemClock is the machine's clock. Its elapsed time goes on while the machine
// sleeps, so that waking up does not look like a jump.
func SystemClock() ledger.Clock {
	start := time.Now()
	return ledger.Clock{
		Now: func() time.Time { return time.Now().Round(0) },
		Elapsed: func() time.Duration {
			var ts unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
				return time.Since(start)
			}
			return time.Duration(ts.Nano())
		},
	}
}
