package ledger

// WithStep has a writer call f at each named step of a command's way.
func WithStep(c Config, f func(step string)) Config {
	c.step = f
	return c
}
