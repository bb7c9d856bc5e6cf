package csvfile

import (
	"fmt"
	"strings"
)

// dateTokens are the parts of a date form and what package time calls them, the
// longer ones first.
var dateTokens = []struct{ form, layout string }{
	{"YYYY", "2006"},
	{"MMM", "Jan"},
	{"YY", "06"},
	{"MM", "01"},
	{"DD", "02"},
	{"hh", "15"},
	{"mm", "04"},
	{"ss", "05"},
	{"M", "1"},
	{"D", "2"},
	{"h", "3"},
	{"Z", "Z07:00"},
	{"AM", "PM"},
}

// dateLayout turns a form such as "YYYY-MM-DD hh:mm:ss" into a layout of
// package time. With AM, hh counts to twelve; h always does. Besides the tokens a form holds
// spaces, punctuation and the T of ISO 8601.
func dateLayout(form string) (string, error) {
	var layout strings.Builder
	seen := map[string]bool{}
	for rest := form; rest != ""; {
		token, text := nextToken(rest)
		switch {
		case token != "":
			if seen[token[:1]] {
				return "", fmt.Errorf("%.40q has %c twice", form, token[0])
			}
			seen[token[:1]] = true
		case strings.IndexByte(" -/.:,T", rest[0]) < 0:
			return "", fmt.Errorf("%.40q has %.4q, which is no part of a date form", form, rest)
		default:
			token, text = rest[:1], rest[:1]
		}
		layout.WriteString(text)
		rest = rest[len(token):]
	}
	if !seen["Y"] || !seen["M"] || !seen["D"] {
		return "", fmt.Errorf("%.40q needs a year, a month and a day", form)
	}
	if strings.Contains(strings.ReplaceAll(form, "hh", ""), "h") && !seen["A"] {
		return "", fmt.Errorf("%.40q counts hours to twelve (h) without AM", form)
	}
	if seen["A"] {
		return strings.Replace(layout.String(), "15", "03", 1), nil
	}
	return layout.String(), nil
}

func nextToken(rest string) (token, text string) {
	for _, t := range dateTokens {
		if strings.HasPrefix(rest, t.form) {
			return t.form, t.layout
		}
	}
	return "", ""
}
