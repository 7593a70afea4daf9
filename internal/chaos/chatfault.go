package chaos

import (
	"bytes"
	"net/http"
	"strings"

	"weir/internal/openai"
)

// chatRow is a fault of an answer that is streamed; who did not ask for a stream
// is answered rightly.
func chatRow(f Fault, does string, e Expect, codes []Code, do reply) Entry {
	return Entry{
		Fault: f, Does: does, Expect: e, Codes: codes, Heals: true, Wires: anyWire(), Met: ByChat,
		call: func(p *Provider, s sink, c *call) bool {
			if !c.streams() {
				return p.right(s, c)
			}
			return do(p, s, c)
		},
	}
}

// silenceFaults never come to a word, or to the next one, and some are busy at
// that.
func silenceFaults() []Entry {
	const ping = ": keep-alive\n\n"
	// goesOn writes what of drip by drip, for ever, after some events.
	goesOn := func(p *Provider, s sink, c *call, what []byte, after ...[]byte) bool {
		for ok := begun(s, c, after...); ok && s.write(what) == nil; {
			ok = p.waits(s, p.cfg.Drip)
		}
		return false
	}
	blank := func(p *Provider) []byte { return p.event(openai.ChatPiece{Content: " \n"}, "") }
	return []Entry{
		chatRow(ChatStall, "begins an answer and never says a word", Failure, late(), func(p *Provider, s sink, c *call) bool {
			return begun(s, c, p.events(c)[0]) && p.waits(s, -1)
		}),
		chatRow(ChatStallBetween, "says two words, then nothing", Failure, late(), func(p *Provider, s sink, c *call) bool {
			return begun(s, c, p.first(c)...) && p.waits(s, -1)
		}),
		chatRow(ChatComments, "sends comments that keep the connection alive, and no word", Failure, late(), func(p *Provider, s sink, c *call) bool {
			return goesOn(p, s, c, []byte(ping))
		}),
		chatRow(ChatCommentsAfter, "says two words, then sends comments only", Failure, late(), func(p *Provider, s sink, c *call) bool {
			return goesOn(p, s, c, []byte(ping), p.first(c)...)
		}),
		chatRow(ChatThinks, "thinks for ever (reasoning_content)", Failure, late(), func(p *Provider, s sink, c *call) bool {
			return goesOn(p, s, c, []byte(`data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}`+"\n\n"))
		}),
		chatRow(ChatBlank, "says two words, then white space for ever", Failure, late(), func(p *Provider, s sink, c *call) bool {
			return goesOn(p, s, c, blank(p), p.first(c)...)
		}),
		chatRow(ChatBlankFlood, "sends white space as fast as it is read, without end", Failure, down(), func(p *Provider, s sink, c *call) bool {
			return endless(s, c.header(), p.events(c)[0], bytes.Repeat(blank(p), 64))
		}),
	}
}

// streamFaults are of the form of a stream.
func streamFaults() []Entry {
	as := func(kind string) reply {
		return func(p *Provider, s sink, c *call) bool {
			return p.send(s, http.StatusOK, http.Header{"Content-Type": {kind}}, p.body(c))
		}
	}
	after := func(what func(p *Provider) []byte) reply {
		return func(p *Provider, s sink, c *call) bool { return p.stream(s, c, append(p.first(c), what(p))...) }
	}
	failure := line(map[string]any{"error": map[string]string{"message": "the model is overloaded", "type": "server_error"}})
	return []Entry{
		chatRow(ChatEndless, "says words as fast as they are read, without end", Failure, ill(), func(p *Provider, s sink, c *call) bool {
			return endless(s, c.header(), p.events(c)[0], bytes.Repeat(p.event(openai.ChatPiece{Content: " and so on"}, ""), 64))
		}),
		chatRow(ChatUnended, "says two words and ends the stream in order, without a reason and without [DONE]", Failure, down(), func(p *Provider, s sink, c *call) bool {
			return p.stream(s, c, p.first(c)...)
		}),
		chatRow(ChatNoDone, "answers rightly and ends the stream without [DONE]", Answer, nil, func(p *Provider, s sink, c *call) bool {
			events := p.events(c)
			return p.stream(s, c, events[:len(events)-1]...)
		}),
		chatRow(ChatHangsOn, "answers rightly, but neither says [DONE] nor ends the stream", Answer, nil, func(p *Provider, s sink, c *call) bool {
			events := p.events(c)
			return begun(s, c, events[:len(events)-1]...) && p.waits(s, -1)
		}),
		chatRow(ChatHalfLine, "ends the stream in the middle of a line", Failure, down(), after(func(p *Provider) []byte {
			return []byte(`data: {"choices":[{"index":0,"delta":{"conte`)
		})),
		chatRow(ChatGiantLine, "sends a line that has no end, as fast as it is read", Failure, ill(), func(p *Provider, s sink, c *call) bool {
			return endless(s, c.header(), []byte(c.opening()), bytes.Repeat([]byte("no end "), 8<<10))
		}),
		chatRow(ChatBadJSON, "says two words, then what is no JSON", Failure, down(), after(func(*Provider) []byte {
			return []byte("data: {\"choices\":[{]}\n\n")
		})),
		chatRow(ChatSplitRune, "cuts characters in two: half of one in each event", Answer, nil, func(p *Provider, s sink, c *call) bool {
			events := p.events(c)
			whole := p.event(openai.ChatPiece{Content: "é"}, "")
			at := bytes.Index(whole, []byte("é"))
			head, tail := whole[:at:at], whole[at+len("é"):]
			cut := [][]byte{events[0], append(append(head, "é"[0]), tail...), append(append(head, "é"[1]), tail...)}
			return p.stream(s, c, append(cut, events[1:]...)...)
		}),
		chatRow(ChatBadUTF8, "says what is no UTF-8 before the right answer", Answer, nil, func(p *Provider, s sink, c *call) bool {
			events := p.events(c)
			bad := bytes.Replace(p.event(openai.ChatPiece{Content: "@"}, ""), []byte("@"), []byte{0xff, 0xfe}, 1)
			return p.stream(s, c, append([][]byte{events[0], bad}, events[1:]...)...)
		}),
		chatRow(ChatWhole, "answers in one piece, though a stream was asked for", Answer, nil, func(p *Provider, s sink, c *call) bool {
			return p.send(s, http.StatusOK, nil, p.completion(c, p.words(c), "stop"))
		}),
		chatRow(ChatOtherType, "streams the right answer and calls it application/json", Answer, nil, as("application/json")),
		chatRow(ChatWrongType, "streams the right answer and calls it a page (text/html)", Failure, ill(), as("text/html")),
		chatRow(ChatError, "an error in place of the first word, under status 200", Failure, down(), func(p *Provider, s sink, c *call) bool {
			return p.stream(s, c, p.events(c)[0], failure)
		}),
		chatRow(ChatErrorAfter, "says two words, then an error", Failure, down(), after(func(*Provider) []byte { return failure })),
		chatRow(ChatRST, "says two words and resets the connection (RST)", Failure, down(), func(p *Provider, s sink, c *call) bool {
			if begun(s, c, p.first(c)...) {
				c.conn.reset()
			}
			return false
		}),
	}
}

// wordFaults are of what is said; they are met without a stream, too.
func wordFaults() []Entry {
	row := func(f Fault, does string, e Expect, codes []Code, reason string, words func(right []string) []string) Entry {
		return Entry{
			Fault: f, Does: does, Expect: e, Codes: codes, Heals: true, Wires: anyWire(), Met: ByChat,
			call: func(p *Provider, s sink, c *call) bool {
				said := words(p.words(c))
				if !c.streams() {
					return p.send(s, http.StatusOK, nil, p.completion(c, said, reason))
				}
				events := p.events(c)[:1]
				for _, w := range said {
					events = append(events, p.event(openai.ChatPiece{Content: w}, ""))
				}
				return p.stream(s, c, append(events, p.ending(c, len(said), reason)...)...)
			},
		}
	}
	nothing := func([]string) []string { return nil }
	return []Entry{
		row(ChatEmpty, "ends its answer without a word", Failure, down(), "stop", nothing),
		row(ChatFiltered, "holds its answer back (content_filter)", Failure, ill(), "content_filter", nothing),
		row(ChatLength, "breaks its answer off after three words, and says so (length)", Answer, nil, "length", func(right []string) []string {
			return right[:min(3, len(right))]
		}),
		row(ChatOtherCitations, "cites passages that do not exist", Answer, nil, "stop", func(right []string) []string {
			return append(strings.SplitAfter(strings.Join(right, ""), ""), number(98), number(99), number(0))
		}),
	}
}
