package extract

import "strings"

// document is a file as it was read, before it is cut.
type document struct {
	mediaType string
	title     string
	pages     int // 0: a format without pages
	warning   string
	blocks    []block
}

type blockKind int

const (
	paragraph blockKind = iota
	heading
	listItem
	tableRow // cells joined by cellMark
	code     // line breaks matter
)

// cellMark stands between the cells of a table row.
const cellMark = " | "

// block is one heading, paragraph, list item, row of a table or piece of code.
type block struct {
	kind   blockKind
	level  int    // of a heading: 1 is the outermost
	text   string // clean; holds "\n" only in code and between the paragraphs of a large cell
	header bool   // a table row that names the columns
	table  int    // rows of the same table carry the same number, from 1
	page   int    // the page text starts on, from 1; 0: no pages
	breaks []pageBreak
}

// pageBreak says that text from offset on stands on page.
type pageBreak struct{ offset, page int }

// pageAt is the page of the byte at offset.
func (b *block) pageAt(offset int) int {
	page := b.page
	for _, k := range b.breaks {
		if k.offset > offset {
			break
		}
		page = k.page
	}
	return page
}

// row joins the cells of a table row; empty cells at the end are left out.
func row(cells []string) string {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	return strings.TrimSpace(strings.Join(cells, cellMark))
}

// textSize is the sum of the text of all blocks.
func textSize(blocks []block) int {
	n := 0
	for i := range blocks {
		n += len(blocks[i].text)
	}
	return n
}

// maxBlocks bounds the blocks of a document: a book has some ten thousand, and
// each costs more memory than the letters in it.
const maxBlocks = 400_000

func tooManyBlocks() error {
	return tooLarge("has more than %d paragraphs, list items and table rows", maxBlocks)
}
