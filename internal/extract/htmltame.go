package extract

import "strings"

// untamed are the elements that format, which the parser opens anew in each block
// that follows when they were not closed (the HTML standard, "reconstruct the
// active formatting elements"). With some hundreds of them open, each further
// <p> makes as many nodes: 30 KB of page half a gigabyte.
const untamed = " a b big code em font i nobr s small strike strong tt u "

// tame makes of each tag of such an element one of another, which is not opened
// anew. Nothing here goes by what these elements mean, but by whether they are
// hidden. Its look is at bytes, wherever they stand, so that no page can have it
// and the parser see different tags.
func tame(page string) string {
	var out strings.Builder
	done := 0
	for i := strings.IndexByte(page, '<'); i >= 0; {
		name, closing := formatting(page[i+1:])
		if name != "" {
			if out.Len() == 0 {
				out.Grow(len(page) + len(page)/4)
			}
			after := i + 1 + len(name)
			out.WriteString(page[done:i])
			switch {
			case closing:
				after++
				out.WriteString("</" + name + "-")
			case mayHide(page[after:]):
				out.WriteString("<" + name + "-")
			default:
				out.WriteString("<wbr") // nothing is in it, so that it nests nothing
			}
			done = after
		}
		next := strings.IndexByte(page[i+1:], '<')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return out.String() + page[done:]
}

// formatting reads the name of an untamed element behind a <, and whether it is
// closed; "" of any other.
func formatting(s string) (name string, closing bool) {
	s, closing = strings.CutPrefix(s, "/")
	const longest = len("strike")
	end := strings.IndexAny(s[:min(len(s), longest+1)], " \t\n\r\f/>")
	if end <= 0 {
		return "", false
	}
	name = strings.ToLower(s[:end])
	if !strings.Contains(untamed, " "+name+" ") {
		return "", false
	}
	return name, closing
}

// mayHide reports whether the tag whose rest s begins with may say that its
// element is hidden.
func mayHide(s string) bool {
	const most = 512
	s = s[:min(len(s), most)]
	if end := strings.IndexByte(s, '>'); end >= 0 {
		s = s[:end]
	}
	s = strings.ToLower(s)
	return strings.Contains(s, "hidden") || strings.Contains(s, "display")
}
