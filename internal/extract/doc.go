// Package extract reads the files people have (PDF, DOCX, HTML, Markdown,
// plain text) and cuts them into chunks for retrieval.
//
// # Goals
//
// What a person sees as a paragraph, a list item, a heading or a row of a
// table comes out as one; every chunk knows its section and its pages, so
// that a citation can be looked up. A file that is encrypted, broken, huge or
// built to do harm costs its own error, bounded time and bounded memory, and
// nothing else.
//
// # Design
//
// Every format is read into the same list of blocks (block.go); sections
// (section.go) and chunks (chunk.go) are made from blocks alone and know
// nothing of formats. The format is found by content (detect.go), never by
// name.
//
// PDF runs in PDFium compiled to WebAssembly, a fresh instance for every
// document (pdfium.go), which can be stopped in the middle of a call. PDFium
// gives characters with their boxes (pdfpage.go); lines, columns, tables and
// paragraphs are rebuilt from those by geometry (pdflayout.go and the other
// pdf*.go files). A page that cannot be read, or is a picture, is left out
// and named in the Warning of the document (pdfgaps.go).
package extract
