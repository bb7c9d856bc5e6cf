//go:build race

package effort

// UnderRace tells that the race detector runs.
const UnderRace = true
