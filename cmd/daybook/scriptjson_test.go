package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// at gives the value at a path of a JSON text that holds one object and nothing
// else.
func at(text, path string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, is := value.(map[string]any); !is || decoder.More() {
		return nil, fmt.Errorf("not one JSON object")
	}
	for name := range strings.SplitSeq(path, ".") {
		if path == "" {
			break
		}
		switch in := value.(type) {
		case map[string]any:
			below, found := in[name]
			if !found {
				return nil, fmt.Errorf("there is no %q in %q", name, path)
			}
			value = below
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(in) {
				return nil, fmt.Errorf("there is no element %q in %q", name, path)
			}
			value = in[i]
		default:
			return nil, fmt.Errorf("nothing is below %q in %q", name, path)
		}
	}
	return value, nil
}

func textOf(value any) string {
	switch v := value.(type) {
	case map[string]any, []any:
		data, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(data)
	default:
		return fmt.Sprint(v)
	}
}

func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 3 && args[0] == "-len" {
		value, err := at(ts.ReadFile("stdout"), args[1])
		ts.Check(err)
		list, is := value.([]any)
		if n := strconv.Itoa(len(list)); !is || (n == args[2]) == neg {
			ts.Fatalf("%s has %s elements", args[1], n)
		}
		return
	}
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: json [-len] PATH [VALUE]")
	}
	value, err := at(ts.ReadFile("stdout"), args[0])
	if len(args) == 1 {
		if (err == nil) == neg {
			ts.Fatalf("%s: %v", args[0], err)
		}
		return
	}
	ts.Check(err)
	if (textOf(value) == args[1]) == neg {
		ts.Fatalf("%s is %s", args[0], textOf(value))
	}
}

func keepValue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME PATH")
	}
	value, err := at(ts.ReadFile("stdout"), args[1])
	ts.Check(err)
	ts.Setenv(args[0], textOf(value))
}

func errorCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: error CODE")
	}
	if out := ts.ReadFile("stdout"); out != "" && !strings.HasPrefix(out, "{") {
		ts.Fatalf("stdout has %q", out)
	}
	code, err := at(ts.ReadFile("stderr"), "error.code")
	ts.Check(err)
	message, err := at(ts.ReadFile("stderr"), "error.message")
	ts.Check(err)
	hint, err := at(ts.ReadFile("stderr"), "error.hint")
	ts.Check(err)
	if code != args[0] || message == "" || hint == "" {
		ts.Fatalf("the error is %v: %v, and the hint %q", code, message, hint)
	}
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if offset < 0 {
		offset += len(data)
	}
	data[offset] ^= 0xff
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat N TEXT FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := strings.ReplaceAll(args[1], `\n`, "\n")
	file, err := os.OpenFile(ts.MkAbs(args[2]), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = file.WriteString(strings.Repeat(text, n))
	ts.Check(err)
	ts.Check(file.Close())
}

func binary(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: binary FILE HEX")
	}
	data, err := hex.DecodeString(args[1])
	ts.Check(err)
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append(text, data...), 0o600))
}

func copytree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: copytree FROM TO")
	}
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}

// flipBlock turns a byte around in the middle of the log's newest page.
func flipBlock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flipblock DIR")
	}
	blocks, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "store/jetstream/*/streams/*/msgs/*.blk"))
	ts.Check(err)
	if len(blocks) == 0 {
		ts.Fatalf("there are no blocks")
	}
	data, err := os.ReadFile(blocks[0])
	ts.Check(err)
	data[len(data)-200] ^= 0xff
	ts.Check(os.WriteFile(blocks[0], data, 0o600))
}

// damageViews turns bytes around in every file of views.
func damageViews(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damageviews DIR")
	}
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "views/*.db"))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("there are no views")
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		ts.Check(err)
		for i := 0; i < len(data); i += 1000 {
			data[i] ^= 0xff
		}
		ts.Check(os.WriteFile(path, data, 0o600))
	}
}
