package extract

import (
	"bytes"
	"context"
	"errors"

	"weir/internal/rag"
)

const mediaPDF = "application/pdf"

// PDFium's reasons not to open a file.
const (
	pdfErrFile     = 2
	pdfErrFormat   = 3
	pdfErrPassword = 4
	pdfErrSecurity = 5
)

func (x *Extractor) readPDF(ctx context.Context, data []byte, progress func(rag.Progress)) (document, error) {
	d := document{mediaType: mediaPDF}
	if cutShort(data) {
		return d, invalid("is cut short: its end is missing")
	}
	var pages [][]segment
	var without gaps
	var marks []mark
	err := x.engine.open(ctx, func(in *instance) error {
		doc, err := openPDF(ctx, in, data)
		if err != nil {
			return err
		}
		n, err := in.call(ctx, "FPDF_GetPageCount", doc)
		if err != nil {
			return err
		}
		d.pages = i32(n)
		switch {
		case d.pages < 1:
			return invalid("has no pages")
		case d.pages > x.cfg.MaxPages:
			return tooLarge("has %d pages; the limit is %d", d.pages, x.cfg.MaxPages)
		}
		if marks, err = in.outline(ctx, doc, x.cfg.MaxDepth); err != nil {
			return err
		}
		if d.title, err = in.metaTitle(ctx, doc); err != nil {
			return err
		}
		pages, without, err = x.readPages(ctx, in, doc, data, d.pages, progress)
		return err
	})
	if err != nil {
		return document{}, x.pdfError(ctx, err)
	}
	if !anyText(pages) {
		return document{}, without.noText(d.pages)
	}
	d.warning = without.warning(d.pages)
	d.blocks, err = x.pdfBlocks(ctx, pages, marks)
	return d, err
}

func openPDF(ctx context.Context, in *instance, data []byte) (uint64, error) {
	doc, code, err := in.load(ctx, data)
	if err != nil {
		return 0, err
	}
	if doc != 0 {
		return doc, nil
	}
	switch code {
	case pdfErrPassword:
		return 0, invalid("is encrypted (password-protected); remove the password first")
	case pdfErrSecurity:
		return 0, invalid("is encrypted in a way that cannot be read")
	case pdfErrFile, pdfErrFormat:
		return 0, invalid("is damaged or cut short: it begins like a PDF and cannot be read as one")
	default:
		return 0, invalid("cannot be opened as a PDF (PDFium's error %d)", code)
	}
}

// cutShort reports whether the end of the file is missing. PDFium would read
// whatever pages it finds and say nothing of the others.
func cutShort(data []byte) bool {
	end := bytes.TrimRight(data, "\x00 \t\r\n")
	end = end[max(0, len(end)-8<<10):]
	return !bytes.Contains(end, []byte("%%EOF")) && !bytes.Contains(end, []byte("startxref"))
}

// pdfError says what became of a call into PDFium that did not return.
func (x *Extractor) pdfError(ctx context.Context, err error) error {
	var e *rag.Error
	switch {
	case errors.As(err, &e):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errPDFMemory):
		return tooLarge("needs more memory than the limit for one PDF of %s", bytesText(x.cfg.PDFMemory))
	case errors.Is(err, errClosed):
		return &rag.Error{Code: rag.Unavailable, Msg: "the server is shutting down", Err: err}
	case isTrap(err):
		return &rag.Error{Code: rag.Invalid, Msg: "is damaged: reading it as a PDF failed", Err: err}
	default:
		return &rag.Error{Code: rag.Internal, Msg: "the PDF reader failed", Err: err}
	}
}

func (in *instance) metaTitle(ctx context.Context, doc uint64) (string, error) {
	tag := in.scratch + scratchSize - 16
	in.mem.Write(tag, []byte("Title\x00"))
	n, err := in.call(ctx, "FPDF_GetMetaText", doc, uint64(tag), uint64(in.scratch), scratchSize-16)
	if err != nil || i32(n) < 2 || i32(n) > scratchSize-16 {
		return "", err
	}
	return in.readUTF16(uint32(n)), nil //nolint:gosec // checked
}

func anyText(pages [][]segment) bool {
	for _, segs := range pages {
		for i := range segs {
			if hasLetter(segs[i].text) {
				return true
			}
		}
	}
	return false
}

func (x *Extractor) pdfBlocks(ctx context.Context, pages [][]segment, marks []mark) ([]block, error) {
	dropRunning(pages)
	var all []piece
	for i, segs := range pages {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		all = append(all, pieces(layout(segs), i+1)...)
	}
	all = dropContents(all, len(pages))
	all = joinPieces(all)
	withOutline := false
	if len(marks) > 0 {
		all, withOutline = applyOutline(all, marks, x.cfg.MinHeadings)
	}
	if withOutline {
		all = subheadings(all)
	} else {
		all = applyLooks(all)
	}
	return tables(finishHeadings(all)), nil
}
