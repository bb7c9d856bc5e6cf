// Package effort says how much is done by tests that could do any amount: random
// cases, sizes, repetitions. The race detector makes everything many times slower,
// and needs no large numbers to see two goroutines at one place: under it they do
// less, of every kind that there is. go test without -race does all, and make fuzz
// more than that.
package effort

import (
	"flag"
	"strconv"
)

// Of gives how much to do, with the race detector and without.
func Of(usual, underRace int) int {
	if UnderRace {
		return underRace
	}
	return usual
}

// Checks sets how many random cases the property tests of a package take, unless
// the flag -rapid.checks says so. Call it in TestMain.
func Checks(n int) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
			panic(err)
		}
	}
}
