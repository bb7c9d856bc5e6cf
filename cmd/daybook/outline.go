package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// tellData writes a value as an outline of its JSON.
func tellData(w io.Writer, value any, depth int) {
	indent := strings.Repeat("  ", depth)
	data, err := json.Marshal(value)
	if err != nil {
		fmt.Fprintf(w, "%s%s\n", indent, err)
		return
	}
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	switch text, err := tellValue(w, in, depth); {
	case err != nil:
		fmt.Fprintf(w, "%s%s\n", indent, err)
	case text != "":
		fmt.Fprintf(w, "%s%s\n", indent, text)
	}
}

// tellValue writes a JSON value as an outline: a line for each name, what is
// below it indented. The order of the text is kept. It gives the text of a value
// that has no names and fits on the line of its own name.
func tellValue(w io.Writer, in *json.Decoder, depth int) (inline string, err error) {
	token, err := in.Token()
	if err != nil {
		return "", err
	}
	switch token {
	case json.Delim('{'):
		return tellObject(w, in, depth)
	case json.Delim('['):
		return "", tellArray(w, in, depth)
	case nil:
		return "", nil
	}
	return printable(fmt.Sprint(token)), nil
}

// tellObject writes the names of an object. An amount beside its currency, and
// nothing else, is one text.
func tellObject(w io.Writer, in *json.Decoder, depth int) (inline string, err error) {
	type field struct{ name, text, below string }
	var fields []field
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return "", err
		}
		var below strings.Builder
		text, err := tellValue(&below, in, depth+1)
		if err != nil {
			return "", err
		}
		fields = append(fields, field{fmt.Sprint(name), text, below.String()})
	}
	if _, err := in.Token(); err != nil {
		return "", err
	}
	if len(fields) == 2 && fields[0].name == "amount" && fields[1].name == "currency" {
		return fields[0].text + " " + fields[1].text, nil
	}
	indent := strings.Repeat("  ", depth)
	for _, f := range fields {
		fmt.Fprintf(w, "%s%s\n%s", indent, strings.TrimRight(f.name+": "+f.text, " "), f.below)
	}
	return "", nil
}

func tellArray(w io.Writer, in *json.Decoder, depth int) error {
	indent := strings.Repeat("  ", depth)
	for in.More() {
		var below strings.Builder
		text, err := tellValue(&below, in, depth+1)
		if err != nil {
			return err
		}
		if text != "" {
			fmt.Fprintf(w, "%s- %s\n", indent, text)
			continue
		}
		// The first name stands beside the hyphen.
		fmt.Fprintf(w, "%s- %s\n", indent, strings.TrimSpace(below.String()))
	}
	_, err := in.Token()
	return err
}
