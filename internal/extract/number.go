package extract

import (
	"regexp"
	"strconv"
	"strings"
)

// numbered is what the number in front of a title says.
type numbered struct {
	nums []int // nil: no number
}

var (
	wordNumber  = regexp.MustCompile(`(?i)^(chapter|section|part|article|kapitel|abschnitt|teil|artikel|capítulo|sección|parte|artículo|chapitre|§+)\s*([0-9]{1,3}(?:\.[0-9]{1,3}){0,7})\b`)
	plainNumber = regexp.MustCompile(`^([0-9]{1,3}(?:\.[0-9]{1,3}){0,7})([.)]?)(\s+|$|[^\x00-\x7f])`)
	hanNumber   = regexp.MustCompile(`^第\s*([0-9]{1,3}|[一二三四五六七八九十百]{1,5})\s*[章节節条條部篇回]`)
	hanList     = regexp.MustCompile(`^([一二三四五六七八九十]{1,3})、`)
)

// numberOf reads the number in front of a title: "4.2.1 …", "Chapter 4: …",
// "Section 2.1 …", "第三章 …".
func numberOf(title string) numbered {
	if m := wordNumber.FindStringSubmatch(title); m != nil {
		return numbered{ints(m[2])}
	}
	if m := plainNumber.FindStringSubmatch(title); m != nil {
		return numbered{ints(m[1])}
	}
	m := hanNumber.FindStringSubmatch(title)
	if m == nil {
		m = hanList.FindStringSubmatch(title)
	}
	if m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return numbered{[]int{n}}
		}
		return numbered{[]int{hanInt(m[1])}}
	}
	return numbered{}
}

func ints(s string) []int {
	var out []int
	for f := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// hanInt reads a number below 1000 in Chinese numerals.
func hanInt(s string) int {
	total, digit := 0, 0
	for _, r := range s {
		switch r {
		case '十':
			total, digit = total+max(digit, 1)*10, 0
		case '百':
			total, digit = total+max(digit, 1)*100, 0
		default:
			for i, d := range []rune("一二三四五六七八九") {
				if d == r {
					digit = i + 1
				}
			}
		}
	}
	return total + digit
}

// under places the number of a title below the path of the section it stands
// in: 2.1 below [4] is [4 2 1] in a book whose chapters number their own
// sections, and 4.2 below [4] is [4 2].
func (n numbered) under(parent []int) []int {
	for k := min(len(parent), len(n.nums)-1); k > 0; k-- {
		// The number repeats the last k of its parent's.
		if equalInts(parent[len(parent)-k:], n.nums[:k]) {
			return join(parent, n.nums[k:])
		}
	}
	return join(parent, n.nums)
}

func equalInts(a, b []int) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func join(a, b []int) []int { return append(append(make([]int, 0, len(a)+len(b)), a...), b...) }
