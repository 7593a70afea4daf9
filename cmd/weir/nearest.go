package main

import (
	"fmt"
	"strings"
)

// didYouMean is a hint at the name that name may have been meant to be, or
// empty when none is near.
func didYouMean(name string, names []string) string {
	best, least := "", len(name)/3+2 // further away it is a guess, not a slip
	for _, n := range names {
		d := distance(strings.ToLower(name), strings.ToLower(n))
		if d < least || (strings.HasPrefix(n, name) && len(name) > 2 && best == "") {
			best, least = n, min(d, least)
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance is the number of letters to insert, delete or change (Levenshtein,
// 1965).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
