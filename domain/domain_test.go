package domain_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/daybook-ledger/daybook/domain"
)

func TestStreamID(t *testing.T) {
	id := uuid.MustParse("0198a4c2-7b1e-7c3d-9f00-0123456789ab")
	for _, kind := range domain.Kinds() {
		stream := domain.StreamID{Kind: kind, ID: id}
		if got, err := domain.ParseStreamID(stream.String()); err != nil || got != stream {
			t.Errorf("%s came back as %s, %v", stream, got, err)
		}
	}
	for _, text := range []string{
		"", "invoice", "invoice-", "parcel-" + id.String(), "-" + id.String(), "invoice-" + id.String() + "0",
		"invoice-{" + id.String() + "}", "invoice-urn:uuid:" + id.String(), "invoice-0198a4c27b1e7c3d9f000123456789ab",
	} {
		if got, err := domain.ParseStreamID(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func FuzzParseStreamID(f *testing.F) {
	f.Add("invoice-0198a4c2-7b1e-7c3d-9f00-0123456789ab")
	f.Add("invoice-0198A4C2-7B1E-7C3D-9F00-0123456789AB")
	f.Add("-")
	f.Fuzz(func(t *testing.T, text string) {
		stream, err := domain.ParseStreamID(text)
		if err != nil {
			return
		}
		if again, err := domain.ParseStreamID(stream.String()); err != nil || again != stream {
			t.Errorf("%q: %s came back as %s, %v", text, stream, again, err)
		}
	})
}

func TestRefusal(t *testing.T) {
	var err error = domain.Refuse("no-value", "%d is nothing", 0).WithHint("try %d", 1)
	refusal := (*domain.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Hint != "try 1" || err.Error() != "no-value: 0 is nothing" {
		t.Errorf("refusal: %+v", err)
	}
}
