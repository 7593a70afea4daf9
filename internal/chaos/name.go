package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// hostname is reserved: it exists nowhere else (RFC 2606).
const hostname = "provider.chaos.invalid"

// name is what becomes of a look-up.
type name int

const (
	nameKnown   name = iota
	nameUnknown      // NXDOMAIN
	nameFails        // SERVFAIL
	nameSilent       // not answered
)

// names is a name server on loopback, over UDP.
type names struct {
	*net.UDPConn
	addr string
}

func (p *Provider) listenNames(ctx context.Context) (*names, error) {
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("chaos: %w", err)
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("chaos: a socket of type %T", c)
	}
	return &names{UDPConn: udp, addr: c.LocalAddr().String()}, nil
}

// Resolver asks this provider's own name server, which knows the name of
// NamedURL and no other. A net.Dialer takes it. It is as net makes it: a look-up
// under dns-silent that is left by its caller lives on for up to 10 s, unless
// its connection is closed for it.
func (p *Provider) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", p.names.addr)
	}}
}

func (p *Provider) answerNames() {
	buf := make([]byte, 1<<10)
	for {
		n, from, err := p.names.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if !p.pause(1e6) { // a peer's ICMP, which says nothing of the next
				return
			}
			continue
		}
		p.answerName(buf[:n], from)
	}
}

func (p *Provider) answerName(msg []byte, from netip.AddrPort) {
	var in dnsmessage.Parser
	head, err := in.Start(msg)
	if err != nil {
		return
	}
	q, err := in.Question()
	if err != nil {
		return
	}
	p.mu.Lock()
	as := p.row.name
	p.counted(func(s *Stats) { s.Lookups++ })
	p.mu.Unlock()
	out := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: head.ID, Response: true, Authoritative: true, RecursionAvailable: true, RecursionDesired: head.RecursionDesired},
		Questions: []dnsmessage.Question{q},
	}
	ours := strings.EqualFold(q.Name.String(), hostname+".")
	switch {
	case as == nameSilent:
		return
	case as == nameFails:
		out.RCode = dnsmessage.RCodeServerFailure
	case as == nameUnknown, !ours:
		out.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		out.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	if b, err := out.Pack(); err == nil {
		_, _ = p.names.WriteToUDPAddrPort(b, from)
	}
}
