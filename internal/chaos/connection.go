package chaos

import (
	"net/http"

	"golang.org/x/net/http2"
)

func connectionFaults() []Entry {
	return []Entry{
		{
			Fault: DNSUnknown, Does: "its name does not exist (NXDOMAIN)", Expect: Failure, Codes: ill(),
			Heals: true, Wires: anyWire(), Named: true, name: nameUnknown,
		},
		{
			Fault: DNSFails, Does: "the name server fails (SERVFAIL)", Expect: Failure, Codes: down(),
			Heals: true, Wires: anyWire(), Named: true, name: nameFails,
		},
		{
			Fault: DNSSilent, Does: "the name server does not answer", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), Named: true, name: nameSilent,
		},
		{
			Fault: Refuses, Does: "nothing listens: connections are refused", Expect: Failure, Codes: ill(),
			Heals: true, Wires: anyWire(), door: doorRefuses,
		},
		{
			Fault: BlackHole, Does: "connecting is not answered at all: the SYN is dropped", Expect: Failure, Codes: late(),
			Heals: true, Wires: anyWire(), door: doorBlackHole,
		},
		{
			Fault: Silent, Does: "accepts connections and stays silent", Expect: Failure, Codes: late(),
			Wires: anyWire(), door: doorSilent,
		},
		{
			Fault: Closes, Does: "closes connections as soon as they are accepted", Expect: Failure, Codes: ill(),
			Heals: true, Wires: anyWire(), door: doorClosed,
		},
		{
			Fault: Stale, Does: "closes a kept connection in the face of its second call", Expect: Answer,
			Retry: true, Heals: true, Wires: oneWire(), call: func(p *Provider, s sink, c *call) bool {
				return c.nth <= 1 && p.right(s, c)
			},
		},
	}
}

func http2Faults() []Entry {
	const everyStream = 1<<31 - 1
	return []Entry{
		{
			Fault: HTTP2Dark, Expect: Answer, Retry: true, Wires: http2Wire(), dark: true,
			Does: "the HTTP/2 connections that are open, or the next one, swallow all and say nothing; new ones work",
		},
		{
			Fault: HTTP2GoAway, Does: "answers, and sends GOAWAY after each answer", Expect: Answer,
			Retry: true, Heals: true, Wires: http2Wire(), call: func(p *Provider, s sink, c *call) bool {
				return p.waits(s, p.cfg.Latency) && p.send(s, http.StatusOK, c.header("Connection", "close"), p.body(c)) && c.h2 != nil
			},
		},
		{
			Fault: HTTP2GoAwayAlways, Does: "meets each call with a GOAWAY that invites to try again elsewhere", Expect: Failure, Codes: late(),
			Heals: true, Wires: http2Wire(), call: func(_ *Provider, _ sink, c *call) bool {
				if c.h2 != nil {
					_ = c.h2.goAway(0, http2.ErrCodeNo)
				}
				return false
			},
		},
		{
			Fault: HTTP2GoAwayMidway, Does: "sends half an answer, then GOAWAY with an error, and closes", Expect: Failure, Codes: down(),
			Heals: true, Wires: http2Wire(), call: func(p *Provider, s sink, c *call) bool {
				if half(p, s, c, -1) && c.h2 != nil {
					_ = c.h2.goAway(everyStream, http2.ErrCodeInternal)
				}
				return false
			},
		},
		{
			Fault: HTTP2Reset, Does: "resets the stream of each call (RST_STREAM)", Expect: Failure, Codes: down(),
			Heals: true, Wires: http2Wire(), call: func(_ *Provider, s sink, _ *call) bool {
				s.abort()
				return false
			},
		},
	}
}
