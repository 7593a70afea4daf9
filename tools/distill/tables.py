"""What the reference tokenizer does to every code point, taken from the
reference itself, as the tables of the model file (internal/builtin/table.go
reads them):

    codes of code points: 0 a letter, kept · 1 left out · 2 left out, but ends a
    run of combining marks · 3 space · 4 punctuation, a word of its own ·
    5 ideograph, a word of its own · 6 Hangul syllable, to be decomposed ·
    7 combining mark that is kept · 16+n the n-th mapping
"""
import struct
import sys
import unicodedata

KEEP, DROP, DROP_STARTER, SPACE, PUNCT, IDEOGRAPH, HANGUL, MARK, MAPPED = 0, 1, 2, 3, 4, 5, 6, 7, 16
HIGH, LOW = chr(0x302E), chr(0x1BAA)  # marks that are kept, of classes 224 and 9


def tables(tokenizer):
    norm, pre = tokenizer.normalizer.normalize_str, tokenizer.pre_tokenizer.pre_tokenize_str
    assert norm("a" + HIGH + LOW) == "a" + LOW + HIGH
    codes = [DROP] * 0x110000
    maps, index, classes = [], {}, {}
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        ch = chr(c)
        s = norm(ch)
        if s == "":
            # does it keep marks on its two sides from being ordered?
            codes[c] = DROP if norm("a" + HIGH + ch + LOW) == "a" + LOW + HIGH else DROP_STARTER
        elif s == " ":
            codes[c] = SPACE
        elif s == ch:
            codes[c] = PUNCT if len(pre("a" + ch + "b")) == 3 else KEEP
            if unicodedata.combining(ch) and (norm("a" + HIGH + ch) != "a" + HIGH + ch or norm("a" + ch + LOW) != "a" + ch + LOW):
                codes[c], classes[c] = MARK, unicodedata.combining(ch)
        elif s == " " + ch + " ":
            codes[c] = IDEOGRAPH
        elif 0xAC00 <= c < 0xD7A4:
            i = c - 0xAC00
            want = chr(0x1100 + i // 588) + chr(0x1161 + i % 588 // 28) + (chr(0x11A7 + i % 28) if i % 28 else "")
            assert s == want
            codes[c] = HANGUL
        else:
            alone = s[0] == " "
            key = (s.strip(" "), alone)
            assert " " not in key[0]
            if key not in index:
                index[key] = len(maps)
                maps.append(key)
            codes[c] = MAPPED + index[key]
    # a kept mark of a class equal to both probes' reads as kept in order; it
    # must agree with its own class
    for c in range(0x110000):
        if codes[c] == KEEP and not 0xD800 <= c < 0xE000 and unicodedata.combining(chr(c)) in (9, 224):
            ch = chr(c)
            a, b = norm("a" + HIGH + ch) != "a" + HIGH + ch, norm("a" + ch + LOW) != "a" + ch + LOW
            if a or b:
                codes[c], classes[c] = MARK, unicodedata.combining(ch)
    for s, alone in maps:
        for ch in s:
            assert codes[ord(ch)] in (KEEP, PUNCT, IDEOGRAPH, MARK), (s, hex(ord(ch)))
    return codes, maps, classes


def pack(tokenizer):
    """stage 1, stage 2, mappings, their runes, classes; and the four counts."""
    codes, maps, classes = tables(tokenizer)
    blocks, index, one = [], {}, bytearray()
    for hi in range(0x1100):
        block = tuple(codes[hi * 256 : hi * 256 + 256])
        if block not in index:
            index[block] = len(blocks)
            blocks.append(block)
        one.append(index[block])
    assert len(blocks) <= 256
    two = b"".join(struct.pack("<256H", *b) for b in blocks)
    entries, pool = b"", []
    for s, alone in maps:
        entries += struct.pack("<HBB", len(pool), len(s), alone)
        pool += [ord(ch) for ch in s]
    ordered = sorted(classes.items())
    out = bytes(one) + two + entries + struct.pack(f"<{len(pool)}I", *pool)
    out += b"".join(struct.pack("<I", c << 8 | k) for c, k in ordered)
    return out, (len(blocks), len(maps), len(pool), len(ordered))


if __name__ == "__main__":
    from tokenizers import Tokenizer

    t = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
    data, counts = pack(t)
    print(len(data), "bytes; blocks, mappings, runes, marks:", counts)
