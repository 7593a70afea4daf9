package extract

import (
	"context"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (x *Extractor) readText(ctx context.Context, data []byte) (document, error) {
	text, err := x.decode(data)
	if err != nil {
		return document{}, err
	}
	d := document{mediaType: "text/plain"}
	sheets := strings.Split(strings.TrimRight(text, "\f\r\n\t "), "\f")
	if len(sheets) > x.cfg.MaxPages {
		return d, tooLarge("has %d pages; the limit is %d", len(sheets), x.cfg.MaxPages)
	}
	for i, s := range sheets {
		if ctx.Err() != nil {
			return d, context.Cause(ctx)
		}
		from := len(d.blocks)
		if from > maxBlocks {
			break
		}
		d.blocks = textBlocks(d.blocks, clean(s))
		if len(sheets) > 1 { // form feeds divide pages
			d.pages = len(sheets)
			for k := from; k < len(d.blocks); k++ {
				d.blocks[k].page = i + 1
			}
		}
	}
	if len(d.blocks) > maxBlocks {
		return d, tooManyBlocks()
	}
	return d, nil
}

// decode makes UTF-8 of a file that is text.
func (x *Extractor) decode(data []byte) (string, error) {
	if len(data) > x.cfg.MaxText {
		return "", tooLarge("holds %s of text; the limit is %s", bytesText(int64(len(data))), bytesText(int64(x.cfg.MaxText)))
	}
	text, ok := decodeText(data)
	if !ok {
		return "", unsupported("is not text: it begins like text and goes on as binary data")
	}
	return strings.ReplaceAll(text, "\r\n", "\n"), nil
}

// textBlocks reads plain text: paragraphs between blank lines, lists,
// underlined, numbered and capital headings.
func textBlocks(out []block, s string) []block {
	var lines []string
	flush := func() {
		if len(lines) > 0 {
			out = textParagraph(out, lines)
			lines = nil
		}
	}
	for line := range strings.SplitSeq(s, "\n") {
		if len(out) > maxBlocks {
			return out // the caller refuses them
		}
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		switch {
		case line == "":
			flush()
		case len(lines) == 1 && underline.MatchString(line) && abs(float32(len(line)-utf8.RuneCountInString(lines[0]))) <= 3:
			level := 2
			if line[0] == '=' {
				level = 1
			}
			out = append(out, block{kind: heading, level: level, text: strings.TrimSpace(lines[0])})
			lines = nil
		case len(lines) > 0 && underline.MatchString(line) && len(line) > 3:
			flush() // a ruler
		default:
			if len(lines) == 0 && underline.MatchString(line) && len(line) > 3 {
				continue
			}
			lines = append(lines, line)
		}
	}
	flush()
	return out
}

var underline = regexp.MustCompile(`^\s*(=+|-+|~+|_+|\*+)\s*$`)

func textParagraph(out []block, lines []string) []block {
	if len(lines) == 1 {
		if level := textHeading(lines[0]); level > 0 {
			return append(out, block{kind: heading, level: level, text: squeeze(lines[0])})
		}
	}
	items := 0
	for _, l := range lines {
		if bulletHead.MatchString(strings.TrimSpace(l)) {
			items++
		}
	}
	if items == 0 {
		return append(out, textBlock(lines, paragraph))
	}
	start := 0
	for i := 1; i <= len(lines); i++ {
		if i == len(lines) || bulletHead.MatchString(strings.TrimSpace(lines[i])) {
			kind := paragraph
			if bulletHead.MatchString(strings.TrimSpace(lines[start])) {
				kind = listItem
			}
			out = append(out, textBlock(lines[start:i], kind))
			start = i
		}
	}
	return out
}

// textBlock joins lines that a program wrapped, and keeps lines that somebody
// broke by intent: addresses, verse, logs.
func textBlock(lines []string, kind blockKind) block {
	if !wrapped(lines) && (kind != listItem || !hanging(lines)) {
		return block{kind: code, text: strings.Join(lines, "\n")}
	}
	var b strings.Builder
	for _, l := range lines {
		l = squeeze(l)
		switch {
		case b.Len() == 0:
		case joinsBare(b.String(), l):
		default:
			b.WriteByte(' ')
		}
		b.WriteString(l)
	}
	return block{kind: kind, text: b.String()}
}

// hanging reports whether all lines but the first are set in.
func hanging(lines []string) bool {
	for _, l := range lines[1:] {
		if l[0] != ' ' && l[0] != '\t' {
			return false
		}
	}
	return true
}

// joinsBare: no space after a hyphen inside a word, nor in scripts without
// spaces.
func joinsBare(s, next string) bool {
	last, n := utf8.DecodeLastRuneInString(s)
	first, _ := utf8.DecodeRuneInString(next)
	if last == '-' && len(s) > n {
		before, _ := utf8.DecodeLastRuneInString(s[:len(s)-n])
		return unicode.IsLetter(before) && unicode.IsLower(first)
	}
	return spaceless(last) && spaceless(first)
}

// wrapped reports whether the lines look as if they were filled up to a
// margin: each but the last ends where the next word would not have fitted.
func wrapped(lines []string) bool {
	if len(lines) == 1 {
		return true
	}
	widest := 0
	for _, l := range lines {
		widest = max(widest, width(l))
	}
	if widest > 120 || widest < 30 {
		return false
	}
	margin := max(widest, 60)
	misfits := 0
	for i, l := range lines[:len(lines)-1] {
		next, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
		if width(l)+1+width(next) < margin-4 {
			misfits++
		}
	}
	return misfits*5 <= len(lines)-1
}

// width is the columns a line takes; ideographs take two.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 && spaceless(r) && !unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			n++
		}
	}
	return n
}

// textHeading is the level of a line that stands alone, or 0 if it does not
// look like a heading.
func textHeading(line string) int {
	line = strings.TrimSpace(line)
	if len(line) > 100 || !hasLetter(line) {
		return 0
	}
	last, _ := utf8.DecodeLastRuneInString(line)
	if strings.ContainsRune(".,;:!?。，；", last) {
		return 0
	}
	if n := numberOf(line).nums; n != nil {
		return min(len(n), 6)
	}
	upper, lower := 0, 0
	for _, r := range line {
		switch {
		case unicode.IsUpper(r):
			upper++
		case unicode.IsLower(r):
			lower++
		}
	}
	if upper >= 4 && lower == 0 {
		return 1
	}
	return 0
}
