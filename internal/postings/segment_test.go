package postings_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"weir/internal/postings"
)

// seal recomputes the checksums of a segment of one section whose bytes were
// tampered with, so that the checks behind them are reached.
func seal(data []byte) []byte {
	const header = 4
	if len(data) < header+8 {
		return data
	}
	sum := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	at := header
	uvarint := func() (v uint64) {
		v, n := binary.Uvarint(data[min(at, len(data)):])
		at += max(n, 0)
		return v
	}
	at += int(min(uvarint(), 8)) // the language
	if uvarint() != 1 {
		return data
	}
	size := uvarint()
	uvarint()
	end := len(data) - 4
	if at > end || size != uint64(end-at) || size < 4 {
		return data
	}
	binary.LittleEndian.PutUint32(data[end-4:], sum(data[at:end-4]))
	binary.LittleEndian.PutUint32(data[end:], sum(data[:at]))
	return data
}

func FuzzParseSegment(f *testing.F) {
	build := func(lang string, docs ...[]string) []byte {
		var b postings.Builder
		for _, d := range docs {
			b.Add(postings.Field{Terms: d, Words: len(d)}, postings.Field{Terms: []string{"head"}, Words: 1})
		}
		seg, err := b.Segment(lang)
		if err != nil {
			f.Fatal(err)
		}
		return seg
	}
	for _, seg := range [][]byte{
		build(""), build("en", []string{"a"}), build("", []string{"a", "b", "a"}, nil, []string{"b"}),
		build("", []string{"x", "x", "x"}, []string{"y"}, []string{"x"}), []byte("wps\x01"), nil,
	} {
		f.Add(seg)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, seg := range [][]byte{data, seal(append([]byte(nil), data...))} {
			err := postings.Verify(seg)
			ix := postings.New(postings.Config{})
			added := ix.Add(t.Context(), 1, seg)
			if (err == nil) != (added == nil) {
				t.Fatalf("Verify says %v, Add %v", err, added)
			}
			if err != nil {
				continue
			}
			hits, err := ix.Search(t.Context(), []postings.Group{{{Term: "a", Weight: 1}}, {{Term: "head", Weight: 1}}}, 10, nil)
			if err != nil || len(hits) > ix.Chunks() {
				t.Fatal(hits, err)
			}
			if err := ix.Add(t.Context(), 2, seg); err != nil {
				t.Fatal(err)
			}
			if err := ix.Remove(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDamage flips every bit of a segment, and cuts it at every length.
func TestDamage(t *testing.T) {
	var b postings.Builder
	for i := range 3 {
		b.Add(postings.Field{Terms: []string{"a", "b", "c"}[i:], Words: 3 - i}, postings.Field{})
	}
	seg, err := b.Segment("de")
	if err != nil {
		t.Fatal(err)
	}
	if err := postings.Verify(seg); err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(seg) {
		bad := append([]byte(nil), seg...)
		bad[i/8] ^= 1 << (i % 8)
		if postings.Verify(bad) == nil {
			t.Errorf("bit %d flipped: no error", i)
		}
	}
	for n := range seg {
		if postings.Verify(seg[:n]) == nil {
			t.Errorf("cut to %d bytes: no error", n)
		}
	}
}
