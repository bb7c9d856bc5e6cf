package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// barAfter is how long work goes on before it is worth a progress bar.
const barAfter = 400 * time.Millisecond

// meter shows how far long work has come, where a person watches. It is used by
// one goroutine at a time.
type meter struct {
	app   *app
	label string
	// uncounted shows a percentage alone: the numbers mean nothing to people.
	uncounted bool
	begun     time.Time
	bar       *progressbar.ProgressBar
}

// meter begins to measure work; nothing shows unless it takes long.
func (a *app) meter(label string) *meter { return &meter{app: a, label: label, begun: a.now()} }

// at tells how much is done, of how much: 0 where that is not known.
func (m *meter) at(done, of uint64) {
	if m.bar == nil {
		if m.app.json || !m.app.watched() || m.app.now().Sub(m.begun) < barAfter {
			return
		}
		m.bar = m.newBar(of)
	}
	if of != 0 && m.bar.GetMax64() != int64(of) {
		m.bar.ChangeMax64(int64(of))
	}
	_ = m.bar.Set64(int64(done)) // only decoration
}

func (m *meter) newBar(of uint64) *progressbar.ProgressBar {
	size := int64(of)
	if of == 0 {
		size = -1
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(m.app.stderr), progressbar.OptionSetDescription(m.label),
		progressbar.OptionThrottle(100 * time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(false),
	}
	if !m.uncounted {
		options = append(options, progressbar.OptionShowCount())
	}
	return progressbar.NewOptions64(size, options...)
}

// says changes what stands before the bar.
func (m *meter) says(label string) {
	if m.bar != nil {
		m.bar.Describe(label)
	}
}

// end takes the bar away.
func (m *meter) end() {
	if m.bar != nil {
		_ = m.bar.Finish()
		m.bar = nil
	}
}
