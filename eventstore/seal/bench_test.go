package seal

import (
	crand "crypto/rand"
	"testing"

	"github.com/daybook-ledger/daybook/eventstore/keyring"
)

func BenchmarkSeal(b *testing.B) {
	h, sections, keys := sampleHeader(), sampleSections(), benchKeys
	b.ReportAllocs()
	for b.Loop() {
		commit, err := Seal(h, sections, keys, crand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(commit)))
	}
}

func BenchmarkSealParallel(b *testing.B) {
	h, sections, keys := sampleHeader(), sampleSections(), benchKeys
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := Seal(h, sections, keys, crand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	h, sections, keys := sampleHeader(), sampleSections(), benchKeys
	commit, _ := Seal(h, sections, keys, crand.Reader)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(commit); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	h, sections, keys := sampleHeader(), sampleSections(), benchKeys
	commit, _ := Seal(h, sections, keys, crand.Reader)
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := Parse(commit)
		if err != nil {
			b.Fatal(err)
		}
		for i := range sections {
			key, _ := keys(sealed.Header.Sections[i].Key)
			if _, err := sealed.Open(i, key); err != nil {
				b.Fatal(err)
			}
		}
	}
}

var oneKey = keyOf(1)

// benchKeys costs nothing, so that sealing alone is measured.
func benchKeys(keyring.KeyID) ([]byte, error) { return oneKey, nil }
