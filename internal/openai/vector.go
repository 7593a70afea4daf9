package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Encoding is the form vectors take on the wire.
type Encoding string

// The encodings. Base64 is the little-endian float32 values, in standard
// base64.
const (
	Float  Encoding = "float"
	Base64 Encoding = "base64"
)

var (
	errNoVector  = errors.New("there is no vector")
	errNotVector = errors.New("it is not a vector")
	errTooLong   = errors.New("the vector is too long")
)

// vector passes the value of "embedding" in whichever form it comes. A fault
// is a value that is no vector of at most limit numbers; err is text that is
// not JSON, after which nothing more can be read.
//
// NaN and Infinity, which are not JSON, are passed inside an array and are a
// fault: some providers write them, and only one text of many may be ill.
func (s *scanner) vector(limit int) (v []float32, fault, err error) {
	switch c := s.next(); {
	case c == '"':
		raw, escaped, err := s.quoted()
		if err != nil {
			return nil, nil, err
		}
		v, fault = decodeBase64(raw, escaped, limit)
		return v, fault, nil
	case c == '[':
		return s.floats(limit)
	case s.word("null"):
		return nil, errNoVector, nil
	default:
		_, err := s.skip()
		return nil, errNotVector, err
	}
}

func (s *scanner) floats(limit int) (v []float32, fault, err error) {
	err = s.array(func(n int) error {
		switch n {
		case limit:
			fault = errTooLong
		case 0:
			v = make([]float32, 0, s.last) // the vectors of one answer are alike
		}
		c := s.next()
		if c != '-' && (c < '0' || c > '9') || s.isNotFinite() {
			if fault == nil {
				fault = fmt.Errorf("value %d: %w", n, errNotNumber)
			}
			if s.notFinite() {
				return nil
			}
			_, err := s.skip()
			return err
		}
		raw, err := s.number()
		if err != nil || fault != nil {
			return err
		}
		f, err := strconv.ParseFloat(string(raw), 32)
		if err != nil { // out of range, for the grammar is checked
			fault = fmt.Errorf("value %d: %w", n, errNotNumber)
			return nil //nolint:nilerr // it is the fault of this vector alone
		}
		v = append(v, float32(f))
		return nil
	})
	if err != nil || fault != nil {
		v = nil
	}
	s.last = len(v)
	return v, fault, err
}

var errNotNumber = errors.New("it is not a finite number")

func (s *scanner) isNotFinite() bool {
	return s.i+1 < len(s.b) && s.b[s.i] == '-' && s.b[s.i+1] == 'I'
}

func (s *scanner) notFinite() bool {
	return s.word("NaN") || s.word("Infinity") || s.word("-Infinity")
}

// decodeBase64 reads little-endian float32 values. Padding may be left out.
func decodeBase64(raw []byte, escaped bool, limit int) ([]float32, error) {
	src := raw[1 : len(raw)-1]
	if escaped { // such as \/ for the slash
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, errNotVector
		}
		src = []byte(text)
	}
	if len(src) > base64.StdEncoding.EncodedLen(4*limit) {
		return nil, errTooLong
	}
	enc := base64.StdEncoding
	if len(src)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	buf := make([]byte, enc.DecodedLen(len(src)))
	n, err := enc.Decode(buf, src)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	if n%4 != 0 {
		return nil, fmt.Errorf("base64: %d bytes, which is not a multiple of four: %w", n, errNotVector)
	}
	v := make([]float32, n/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[4*i:]))
	}
	return v, nil
}

// AppendVector writes v, as the value of "embedding", to the end of b. Values that
// are not finite have no form as Float; Encode refuses them.
func AppendVector(b []byte, v []float32, as Encoding) []byte {
	if as == Base64 {
		raw := make([]byte, 0, 4*len(v))
		for _, f := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
		}
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, raw)
		return append(b, '"')
	}
	b = append(b, '[')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, float64(f), 'g', -1, 32)
	}
	return append(b, ']')
}
