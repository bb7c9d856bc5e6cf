package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daybook-ledger/daybook/domain/codec"
)

// TestEveryFieldIsTold: the outline of each event has every value of its JSON, in that
// order.
func TestEveryFieldIsTold(t *testing.T) {
	for _, name := range codec.EventTypes() {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("..", "..", "domain", "codec", "testdata", "events", name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var vector struct{ JSON json.RawMessage }
			if err := json.Unmarshal(data, &vector); err != nil {
				t.Fatal(err)
			}
			var told strings.Builder
			tellData(&told, vector.JSON, 1)
			rest := told.String()
			var lines bytes.Buffer
			if err := json.Indent(&lines, vector.JSON, "", ""); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(lines.String()) {
				line = strings.TrimRight(line, ",\n")
				if strings.Trim(line[max(0, len(line)-1):], "{}[]") == "" {
					continue // holds others
				}
				_, value, named := strings.Cut(line, `": `)
				if !named {
					value = line
				}
				var leaf any
				if err := json.Unmarshal([]byte(value), &leaf); err != nil {
					t.Fatal(line, err)
				}
				_, after, is := strings.Cut(rest, fmt.Sprint(leaf))
				if !is {
					t.Fatalf("%s is not told:\n%s", line, told.String())
				}
				rest = after
			}
		})
	}
}
