package extract

// tables numbers the tables, finds their header rows, and drops headers that
// are repeated on the next page. A table goes on after a heading inside it,
// which names a group of its rows, and on the next page.
func tables(all []piece) []block {
	out := make([]block, 0, len(all))
	var head *piece // of the table under way; nil: none, or it has none
	n, last := 0, -1
	for i := range all {
		p := &all[i]
		if p.kind != tableRow {
			out = append(out, p.block)
			continue
		}
		between := all[last+1 : i]
		goesOn := last >= 0 && (len(between) == 0 || inTable(between, &all[last], p))
		if head != nil && p.text == head.text && goesOn {
			last = i
			continue // repeated
		}
		if !goesOn || len(between) > 0 && !sameColumns(head, p) {
			n++
			head = nil
			if i+1 < len(all) && all[i+1].kind != paragraph && all[i+1].kind != listItem && p.namesColumns() {
				p.header = true
				head = p
			}
		}
		p.table = n
		last = i
		out = append(out, p.block)
	}
	return out
}

// namesColumns reports whether a row may be the header of a table.
func (p *piece) namesColumns() bool {
	return p.cells > 1 && (p.bold || !hasDigit(p.text)) && len(p.text) < maxHeading
}

// inTable reports whether what stands between two rows is part of their
// table: headings without numbers, or what the end of a page put there.
func inTable(between []piece, a, b *piece) bool {
	headings := 0
	for i := range between {
		if between[i].kind != heading {
			continue
		}
		if numberOf(between[i].text).nums != nil {
			return false
		}
		headings++
	}
	return headings == len(between) && headings == 1 || b.page == a.pageAt(len(a.text))+1 && headings <= 1 && len(between) <= 3
}

// sameColumns reports whether the cells of p stand below those of the header.
func sameColumns(head, p *piece) bool {
	if head == nil || p.cells > head.cells {
		return false
	}
	for _, x := range p.cols {
		found := false
		for _, h := range head.cols {
			found = found || abs(x-h) < 8
		}
		if !found {
			return false
		}
	}
	return true
}
