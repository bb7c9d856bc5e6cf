package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

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
	var amount, currency string
	indent := strings.Repeat("  ", depth)
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
		switch {
		case name == "amount" && below.Len() == 0:
			amount = text
		case name == "currency" && amount != "":
			currency = text
		default:
			fmt.Fprintf(w, "%s%s\n%s", indent, strings.TrimRight(fmt.Sprintf("%v: %s", name, text), " "), below.String())
		}
	}
	if _, err := in.Token(); err != nil {
		return "", err
	}
	return strings.TrimSpace(amount + " " + currency), nil
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
			if below.Len() > 0 {
				fmt.Fprint(w, below.String())
			}
			continue
		}
		// The first name stands beside the hyphen.
		fmt.Fprintf(w, "%s- %s\n", indent, strings.TrimSpace(below.String()))
	}
	_, err := in.Token()
	return err
}
