package provider

import (
	"bytes"
	"io"
	"time"
)

// What is read of the words of an error.
const (
	MaxErrorBytes = 16 << 10        // read of an answer that is an error
	MaxDrain      = 4 << 10         // read further, so that the connection can be used again
	ErrorBodyWait = 1 * time.Second // for the words of an error, when its status is already known
)

// ReadError reads what an answer that is an error has to say, and a little
// more so that the connection can be kept. A peer that stalls here is cut off
// by cancel: its status says enough.
func ReadError(body io.Reader, cancel func()) []byte {
	cut := time.AfterFunc(ErrorBodyWait, cancel)
	defer cut.Stop()
	var b bytes.Buffer
	_, err := b.ReadFrom(io.LimitReader(body, MaxErrorBytes))
	if err == nil {
		_, _ = io.CopyN(io.Discard, body, MaxDrain)
	}
	return b.Bytes()
}
