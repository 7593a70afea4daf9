package extract

import (
	"fmt"

	"weir/internal/rag"
)

// The readers say what is wrong with a file ("is encrypted"); Extract puts the
// file's name in front.

func invalid(format string, args ...any) error {
	return rag.Errorf(rag.Invalid, format, args...)
}

func tooLarge(format string, args ...any) error {
	return rag.Errorf(rag.TooLarge, format, args...)
}

func unsupported(format string, args ...any) error {
	return rag.Errorf(rag.UnsupportedMedia, format, args...)
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0, n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
