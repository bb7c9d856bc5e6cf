//go:build race

package csvfile_test

// underRace means that the race detector slows everything down tenfold.
const underRace = true
