package analysis

import (
	"strings"
	"unicode"
)

// number returns the plain form of a number written with separators of
// thousands and decimals in any of the usual manners: "1,500.00", "1.500,00",
// "1'500" and "1500" are all "1500"; "1.5" and "1,50" are "1.5". Where one
// point or comma stands before exactly three digits it may be either, and also
// holds the second reading ("1.500": "1500", also "1.5"). Zeros in front stay,
// they belong to codes. Dates, versions and addresses are not numbers.
func number(s string) (plain, also string, ok bool) {
	var groups []string
	var seps []byte
	from := 0
	for i, r := range s {
		switch {
		case unicode.Is(unicode.Nd, r):
		case r == '.' || r == ',' || r == '\'':
			if i == from {
				return "", "", false
			}
			groups, seps = append(groups, fold(s[from:i])), append(seps, s[i])
			from = i + 1
		default:
			return "", "", false
		}
		if i > maxTermRunes {
			return "", "", false
		}
	}
	if from == len(s) {
		return "", "", false
	}
	groups = append(groups, fold(s[from:]))
	last := len(seps) - 1
	switch {
	case last < 0:
		return groups[0], "", true
	case last == 0:
		if thousands(groups) && groups[0][0] != '0' {
			if seps[0] == '.' {
				also = decimal(groups[:1], groups[1])
			}
			return groups[0] + groups[1], also, true
		}
		if seps[0] == '\'' {
			return "", "", false
		}
		return decimal(groups[:1], groups[1]), "", true
	}
	uniform := strings.Count(string(seps[:last]), string(seps[0])) == last
	switch {
	case !uniform:
		return "", "", false
	case seps[last] == seps[0]:
		if !thousands(groups) {
			return "", "", false
		}
		return strings.Join(groups, ""), "", true
	case thousands(groups[:last+1]):
		return decimal(groups[:last+1], groups[last+1]), "", true
	}
	return "", "", false
}

// thousands reports groups of three digits after a first of one to three.
func thousands(groups []string) bool {
	if len(groups[0]) > 3 {
		return false
	}
	for _, g := range groups[1:] {
		if len(g) != 3 {
			return false
		}
	}
	return true
}

func decimal(whole []string, fraction string) string {
	n := strings.Join(whole, "")
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		n += "." + fraction
	}
	return n
}
