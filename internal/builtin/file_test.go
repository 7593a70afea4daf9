package builtin

import (
	"errors"
	"strings"
	"testing"
)

func TestADamagedFileIsRefused(t *testing.T) {
	change := func(at int, to string) string { return modelFile[:at] + to + modelFile[at+len(to):] }
	head := len(magic)
	for name, data := range map[string]string{
		"empty":              "",
		"another magic":      change(0, "X"),
		"cut":                modelFile[:len(modelFile)-1],
		"more":               modelFile + "x",
		"head alone":         modelFile[:headerSize],
		"no vocabulary":      change(head, "\x00\x00\x00\x00"),
		"no dimensions":      change(head+4, "\x00\x00\x00\x00"),
		"huge dimensions":    change(head+4, "\xff\xff\xff\xff"),
		"no weight":          change(head+8, "\x00\x00\x00\x00"),
		"a block that isn't": change(headerSize, "\xff"),
		"a code that isn't":  change(headerSize+stageOne, "\xff\xff"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := open(data); !errors.Is(err, errFile) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Whatever a file of the right sizes holds, no text makes it read out of bounds.
func TestADamagedBodyDoesNoHarm(t *testing.T) {
	text := strings.Repeat("Some text, à la carte: 東京 각 \U0001d15e \U00012000 ", 3)
	f, err := parse(modelFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []*string{&f.blocks, &f.codes, &f.maps, &f.runes, &f.marks, &f.starts, &f.words, &f.weights, &f.rows} {
		for _, b := range []byte{0x00, 0x7f, 0xff} {
			whole := *part
			*part = strings.Repeat(string([]byte{b}), len(whole))
			if f.check() == nil {
				e := &Embedder{file: &f, vocab: newVocabulary(&f)}
				vector(t, e, text)
			}
			*part = whole
		}
	}
}
