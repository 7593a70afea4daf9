package extract

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// gaps are the pages of a document that nothing is found on, by their numbers,
// rising. Blank pages are none.
type gaps struct {
	lost     []int // cannot be read
	pictures []int // hold pictures and no text, as scans do
}

// warning is what the document's owner has to know; "" when there is nothing.
func (g gaps) warning(pages int) string {
	var parts []string
	if len(g.lost) > 0 {
		parts = append(parts, pagesText(g.lost, pages)+" cannot be read")
	}
	switch len(g.pictures) {
	case 0:
	case 1:
		parts = append(parts, pagesText(g.pictures, pages)+" is a picture without text, such as a scan")
	default:
		parts = append(parts, pagesText(g.pictures, pages)+" are pictures without text, such as scans")
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, " and ") + "; all else is searched"
}

// noText is the error for a document without any.
func (g gaps) noText(pages int) error {
	switch len(g.lost) {
	case 0:
		return invalid("holds no text: its pages are pictures, such as scans, and text recognition (OCR) is not built in; run it through OCR first")
	case pages:
		return invalid("is damaged: none of its pages can be read")
	default:
		return invalid("holds no text: %s cannot be read, and there is none on the others; if they are pictures, such as scans, run it through text recognition (OCR) first", pagesText(g.lost, pages))
	}
}

// maxRuns is how many runs of pages are named: a warning is a line.
const maxRuns = 12

// pagesText names pages: "pages 2, 5-7 and 9 of 33". At least one is given.
func pagesText(numbers []int, pages int) string {
	var runs []string
	named := 0
	for named < len(numbers) && len(runs) < maxRuns {
		next := named + 1
		for next < len(numbers) && numbers[next] == numbers[next-1]+1 {
			next++
		}
		run := strconv.Itoa(numbers[named])
		if next-named > 1 {
			run += "-" + strconv.Itoa(numbers[next-1])
		}
		runs = append(runs, run)
		named = next
	}
	if more := len(numbers) - named; more > 0 {
		runs = append(runs, fmt.Sprintf("%d more", more))
	}
	list := runs[0]
	if last := len(runs) - 1; last > 0 {
		list = strings.Join(runs[:last], ", ") + " and " + runs[last]
	}
	what := "page"
	if len(numbers) > 1 {
		what = "pages"
	}
	return fmt.Sprintf("%s %s of %d", what, list, pages)
}

// PDFium's kinds of things on a page that are, or may hold, a picture.
const (
	objectImage = 3
	objectForm  = 5
)

// What is looked at to find a picture: forms stand in forms, in a damaged file
// in themselves.
const (
	maxLooked = 256 // things, on one page
	maxNested = 8   // forms
)

// showsPicture reports whether there is a picture on a page. An empty form, as
// on pages left blank on purpose, is none.
func (in *instance) showsPicture(ctx context.Context, page uint64) (bool, error) {
	left := maxLooked
	return in.holdsPicture(ctx, "FPDFPage_", page, maxNested, &left)
}

// holdsPicture looks at the things in a page or form. calls is what the names of
// PDFium's functions for that begin with.
func (in *instance) holdsPicture(ctx context.Context, calls string, of uint64, depth int, left *int) (bool, error) {
	n, err := in.call(ctx, calls+"CountObjects", of)
	if err != nil {
		return false, err
	}
	for k := 0; k < i32(n) && *left > 0; k++ {
		*left--
		object, err := in.call(ctx, calls+"GetObject", of, uint64(k))
		if err != nil {
			return false, err
		}
		if object == 0 {
			continue
		}
		kind, err := in.call(ctx, "FPDFPageObj_GetType", object)
		if err != nil {
			return false, err
		}
		found := i32(kind) == objectImage
		if i32(kind) == objectForm && depth > 0 {
			if found, err = in.holdsPicture(ctx, "FPDFFormObj_", object, depth-1, left); err != nil {
				return false, err
			}
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}
