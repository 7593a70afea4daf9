package extract

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	xunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// decodeText makes UTF-8 of text in the encodings people have. It returns
// false for what is not text.
func decodeText(b []byte) (string, bool) {
	enc := guessEncoding(b)
	if enc == nil {
		return "", false
	}
	if enc == encoding.Nop {
		b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))
		return strings.ToValidUTF8(string(b), "\uFFFD"), true
	}
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return "", false
	}
	return string(out), true
}

// guessEncoding returns nil for what is not text and encoding.Nop for UTF-8.
func guessEncoding(b []byte) encoding.Encoding {
	little := xunicode.UTF16(xunicode.LittleEndian, xunicode.UseBOM)
	big := xunicode.UTF16(xunicode.BigEndian, xunicode.UseBOM)
	switch {
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")) && validUTF8(b):
		return encoding.Nop
	case bytes.HasPrefix(b, []byte("\xFF\xFE\x00\x00")):
		return utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	case bytes.HasPrefix(b, []byte("\x00\x00\xFE\xFF")):
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case bytes.HasPrefix(b, []byte("\xFF\xFE")):
		return little
	case bytes.HasPrefix(b, []byte("\xFE\xFF")):
		return big
	}
	sample := b[:min(len(b), 64<<10)]
	if e := wide(sample); e != nil {
		return e
	}
	switch {
	case !looksLikeText(sample):
		return nil
	case validUTF8(b):
		return encoding.Nop
	}
	return eightBit(sample)
}

// wide tells UTF-16 without a mark at its beginning.
func wide(b []byte) encoding.Encoding {
	b = b[:len(b)&^1]
	if len(b) < 4 || bytes.IndexByte(b, 0) < 0 && validUTF8(b) {
		return nil
	}
	for _, e := range [...]encoding.Encoding{
		xunicode.UTF16(xunicode.LittleEndian, xunicode.IgnoreBOM),
		xunicode.UTF16(xunicode.BigEndian, xunicode.IgnoreBOM),
	} {
		text, err := e.NewDecoder().Bytes(b)
		if err == nil && plausibleWide(string(text)) {
			return e
		}
	}
	return nil
}

// plausibleWide asks for letters of few scripts and some of the spaces and
// stops that every text has; pairs of other bytes look like rare ideographs.
func plausibleWide(s string) bool {
	letters, breaks, odd, all, latin := 0, 0, 0, 0, 0
	for _, r := range s {
		all++
		switch {
		case r == utf8.RuneError || r == 0 || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' && r != '\f' || unicode.Is(unicode.Co, r):
			odd++
		case r == ' ' || r == '\n' || r == '\r' || r == '。' || r == '、' || r == '，' || r == '\u3000':
			breaks++
		case r < 0x250:
			latin++
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsPunct(r) || unicode.IsNumber(r):
			letters++
		case !unicode.IsPrint(r):
			odd++
		}
	}
	return odd*100 <= all && breaks*50 >= all && (latin*2 > all || letters*3 > all*2 || latin+letters+breaks >= all*9/10)
}

// eightBit tells the encodings with one byte per Latin letter apart. All
// bytes mean something in them, so this goes by what the text would look
// like; Windows-1252 is the one that needs no proof.
func eightBit(b []byte) encoding.Encoding {
	high, cyrillic := 0, 0
	for _, c := range b {
		if c >= 0x80 {
			high++
		}
		if c >= 0xC0 {
			cyrillic++
		}
	}
	if high*5 < len(b) { // Western text has few accents
		return charmap.Windows1252
	}
	var best encoding.Encoding
	most := 0
	for i, e := range [...]encoding.Encoding{japanese.ShiftJIS, japanese.EUCJP, korean.EUCKR, simplifiedchinese.GB18030} {
		text, err := e.NewDecoder().Bytes(b)
		if err != nil {
			continue
		}
		if n := eastAsian(string(text), i < 2); n > most {
			best, most = e, n
		}
	}
	switch {
	case best != nil && most*3 > high: // at most three bytes a character
		return best
	case cyrillic*10 > high*9:
		return charmap.Windows1251
	default:
		return charmap.Windows1252
	}
}

// eastAsian counts the characters of s that are common in East Asian text,
// less whatever should not be there.
func eastAsian(s string, inJapanese bool) int {
	n, kana, hangul, han := 0, 0, 0, 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Hiragana, unicode.Katakana) && r < 0xFF00:
			kana++
			n += 3
		case unicode.Is(unicode.Hangul, r) && r >= 0xAC00:
			hangul++
			n += 3
		case r >= 0x4E00 && r <= 0x9FA5:
			han++
			n += 2
		case r >= 0x3000 && r <= 0x303F, r >= 0xFF01 && r <= 0xFF5E:
			n += 2
		case r == utf8.RuneError, unicode.Is(unicode.Co, r), r >= 0xFF61 && r <= 0xFF9F, r >= 0x3400 && r < 0x4E00:
			n -= 10
		}
	}
	if hangul > 0 && han*10 > hangul { // Korean is hardly written with ideographs any more
		n -= 3 * hangul
	}
	if inJapanese && kana*5 < han { // no Japanese sentence does without
		return 0
	}
	return n / 2
}
