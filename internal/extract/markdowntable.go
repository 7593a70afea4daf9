package extract

import "strings"

// maxTableCells bounds the table that one part of a Markdown file may hold.
const maxTableCells = 250_000

// checkTables refuses tables that are small as text and huge when parsed: the
// parser fills every row up to the number of columns, and takes some 250 bytes
// a cell.
func checkTables(s string) error {
	widest, cells := 0, 0 // columns of the table that may be open
	for line := range strings.SplitSeq(s, "\n") {
		if strings.Trim(line, " \t>") == "" {
			widest = 0
			continue
		}
		if cells += widest; cells > maxTableCells {
			return invalid("has a table of %d columns that would have more than %d cells, the limit", widest, maxTableCells)
		}
		if n := strings.Count(line, "|"); n > 0 && delimits(line) {
			widest = max(widest, n+1)
		}
	}
	return nil
}

// delimits reports whether a line can be what stands between the header of a
// table and its rows, also inside a quote or list.
func delimits(line string) bool {
	return strings.Contains(line, "-") && strings.Trim(line, "|:- \t>*+.)0123456789") == ""
}
