package extract

import (
	"fmt"
	"strconv"
	"strings"
)

// lostRanges is how many runs of pages are named: a warning is a line.
const lostRanges = 12

// lostText says which of the pages of a document cannot be read: "pages 2, 5-7
// and 9 of 33 cannot be read". lost are their numbers, rising, one at least.
func lostText(lost []int, pages int) string {
	var runs []string
	named := 0
	for i := 0; i < len(lost) && len(runs) < lostRanges; {
		k := i + 1
		for k < len(lost) && lost[k] == lost[k-1]+1 {
			k++
		}
		run := strconv.Itoa(lost[i])
		if k-i > 1 {
			run += "-" + strconv.Itoa(lost[k-1])
		}
		runs = append(runs, run)
		i, named = k, k
	}
	if more := len(lost) - named; more > 0 {
		runs = append(runs, fmt.Sprintf("%d more", more))
	}
	list := runs[0]
	if last := len(runs) - 1; last > 0 {
		list = strings.Join(runs[:last], ", ") + " and " + runs[last]
	}
	what := "page"
	if len(lost) > 1 {
		what = "pages"
	}
	return fmt.Sprintf("%s %s of %d cannot be read", what, list, pages)
}
