package jetstream_test

import (
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/jetstream"
)

// commitBytes is what a commit of an invoice has, more or less.
const commitBytes = 800

// BenchmarkAppend appends pages of so many commits, one after the other, each
// flushed to the disk of the temporary folder.
func BenchmarkAppend(b *testing.B) {
	for name, commits := range map[string]int{"1commit": 1, "64commits": 64} {
		b.Run(name, func(b *testing.B) {
			e := start(b, jetstream.Config{Dir: b.TempDir()})
			create(b, e)
			s := open(b, e)
			page := make([]byte, commits*commitBytes)
			b.SetBytes(int64(len(page)))
			after := uint64(0)
			for b.Loop() {
				if err := s.Append(b.Context(), after, page); err != nil {
					b.Fatal(err)
				}
				after++
			}
			b.ReportMetric(float64(after)/b.Elapsed().Seconds(), "pages/s")
			b.ReportMetric(float64(commits)*float64(after)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkRead drains a log from its first page to its last, in the process
// and as another process would.
func BenchmarkRead(b *testing.B) {
	for name, commits := range map[string]int{"1commit": 1, "64commits": 64} {
		seed := newSeed(b)
		e := start(b, jetstream.Config{Dir: fastDir(b), Seed: seed})
		create(b, e)
		s := open(b, e)
		const pages = 2000
		for after := range uint64(pages) {
			if err := s.Append(b.Context(), after, make([]byte, commits*commitBytes)); err != nil {
				b.Fatal(err)
			}
		}
		for where, c := range map[string]jetstream.Connection{"process": e, "reader": reader(b, e, seed)} {
			b.Run(name+"/"+where, func(b *testing.B) {
				s := open(b, c)
				b.SetBytes(int64(pages * commits * commitBytes))
				for b.Loop() {
					if count := readAll(b, s, 1); count != pages {
						b.Fatal(count)
					}
				}
				b.ReportMetric(float64(b.N)*pages/b.Elapsed().Seconds(), "pages/s")
				b.ReportMetric(float64(b.N)*pages*float64(commits)/b.Elapsed().Seconds(), "commits/s")
			})
		}
	}
}

// BenchmarkReadOne reads a single page, as a writer does that settles what
// became of an append.
func BenchmarkReadOne(b *testing.B) {
	e := start(b, jetstream.Config{Dir: fastDir(b)})
	create(b, e)
	s := open(b, e)
	if err := s.Append(b.Context(), 0, make([]byte, commitBytes)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, err := range s.Read(b.Context(), 1, 1) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
