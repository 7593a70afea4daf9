package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// exposureConfig is how the server meets the network.
type exposureConfig struct {
	TLSCert        string
	TLSKey         string
	ACMEDomains    []string
	ACMEEmail      string
	ACMEDirectory  string
	Hosts          []string
	CORSOrigins    []string
	TrustedProxies []netip.Prefix
	MaxStreams     int
	DrainTimeout   time.Duration
	DrainDelay     time.Duration
	PprofListen    string
}

func exposureSettings() []setting {
	return []setting{
		{
			env: "WEIR_TLS_CERT", key: "tls_cert", flag: "tls-cert", value: "FILE", defDoc: "none: plain HTTP",
			help: "certificate (PEM, with those between it and the authority) to serve HTTPS with; read again when it changes, and on SIGHUP",
			set:  setText(func(c *config) *string { return &c.TLSCert }),
		},
		{
			env: "WEIR_TLS_KEY", key: "tls_key", flag: "tls-key", value: "FILE", defDoc: "none",
			help: "its key (PEM)",
			set:  setText(func(c *config) *string { return &c.TLSKey }),
		},
		{
			env: "WEIR_ACME_DOMAINS", key: "acme_domains", flag: "acme-domains", value: "NAMES", defDoc: "none",
			help: "host names, with commas, to get certificates for by ACME (Let's Encrypt), whose terms are accepted with it; port 443 of each must lead to this server",
			set:  setList(func(c *config) *[]string { return &c.ACMEDomains }, checkDomain),
		},
		{
			env: "WEIR_ACME_EMAIL", key: "acme_email", flag: "acme-email", value: "ADDRESS", defDoc: "none",
			help: "whom the authority may write to about these certificates",
			set:  setText(func(c *config) *string { return &c.ACMEEmail }),
		},
		{
			env: "WEIR_ACME_DIRECTORY", key: "acme_directory", flag: "acme-directory", value: "URL", defDoc: "Let's Encrypt's",
			help: "directory of another authority",
			set:  setDirectory,
		},
		{
			env: "WEIR_HOSTS", key: "hosts", flag: "hosts", value: "NAMES", defDoc: "none; those of WEIR_ACME_DOMAINS and of the certificate are known anyway",
			help: "names and addresses, with commas, under which the server may be called (the Host header), besides localhost; * is any, for a server on an address that others reach",
			set:  setList(func(c *config) *[]string { return &c.Hosts }, checkHost),
		},
		{
			env: "WEIR_CORS_ORIGINS", key: "cors_origins", flag: "cors-origins", value: "ORIGINS", defDoc: "none",
			help: "origins, with commas, of web pages that may call the server, such as https://app.example.com",
			set:  setList(func(c *config) *[]string { return &c.CORSOrigins }, checkOrigin),
		},
		{
			env: "WEIR_TRUSTED_PROXIES", key: "trusted_proxies", flag: "trusted-proxies", value: "NETS", defDoc: "none",
			help: "addresses or networks (10.0.0.0/8), with commas, of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, for the log alone",
			set:  setProxies,
		},
		{
			env: "WEIR_MAX_STREAMS", key: "max_streams", flag: "max-streams", value: "N", def: "256",
			help: "open event streams, uploads that wait with ?wait=true among them",
			set:  setInt(func(c *config) *int { return &c.MaxStreams }, 1, 1<<20),
		},
		{
			env: "WEIR_DRAIN_TIMEOUT", key: "drain_timeout", flag: "drain-timeout", value: "TIME", def: "15s",
			help: "how long calls under way may go on when the server stops",
			set:  setTime(func(c *config) *time.Duration { return &c.DrainTimeout }, 10*time.Millisecond, time.Hour),
		},
		{
			env: "WEIR_DRAIN_DELAY", key: "drain_delay", flag: "drain-delay", value: "TIME", defDoc: "none",
			help: "how long before that the server goes on as before while /readyz says that it stops, for load balancers to notice",
			set:  setTime(func(c *config) *time.Duration { return &c.DrainDelay }, time.Millisecond, time.Hour),
		},
		{
			env: "WEIR_PPROF_LISTEN", key: "pprof_listen", flag: "pprof-listen", value: "HOST:PORT", defDoc: "none: off",
			help: "loopback address on which Go's profiles of the server are answered, under /debug/pprof/",
			set:  setAddress(func(c *config) *string { return &c.PprofListen }),
		},
	}
}

// checkExposure refuses what does not fit together.
func (c *config) checkExposure() error {
	host, _, err := net.SplitHostPort(c.Listen)
	local := err == nil && isLocal(host)
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		have, lacks := "WEIR_TLS_CERT", "WEIR_TLS_KEY"
		if c.TLSCert == "" {
			have, lacks = lacks, have
		}
		return usagef("%s is set, but %s is not; HTTPS needs both", c.as(have), lacks)
	case c.TLSCert != "" && len(c.ACMEDomains) > 0:
		return usagef("%s and %s are both set; a certificate comes from files or from an authority", c.as("WEIR_TLS_CERT"), c.as("WEIR_ACME_DOMAINS"))
	case len(c.ACMEDomains) == 0 && (c.ACMEEmail != "" || c.ACMEDirectory != ""):
		return usagef("WEIR_ACME_EMAIL or WEIR_ACME_DIRECTORY is set, but WEIR_ACME_DOMAINS is not; name the hosts that certificates are for")
	case local && slices.Contains(c.Hosts, "*"):
		return usagef("%s is *, which on %s would let any web page in by its own name (DNS rebinding); list the names", c.as("WEIR_HOSTS"), c.Listen)
	}
	if c.PprofListen == "" {
		return nil
	}
	if host, _, err := net.SplitHostPort(c.PprofListen); err != nil || !isLocal(host) {
		return usagef("%s %s can be reached by others, and profiles tell what is in memory; use a loopback address such as 127.0.0.1:6060", c.as("WEIR_PPROF_LISTEN"), c.PprofListen)
	}
	return nil
}

// isLocal tells a host that only this machine reaches, without looking names up:
// the answer could be another later.
func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// encrypts reports whether the server speaks HTTPS.
func (c *config) encrypts() bool { return c.TLSCert != "" || len(c.ACMEDomains) > 0 }

// checkDomain takes the name of a host that a certificate can be for.
func checkDomain(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if !strings.Contains(s, ".") || net.ParseIP(s) != nil || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return "", fmt.Errorf("must be names of hosts such as weir.example.com, not %q", s)
	}
	return s, nil
}

func checkHost(s string) (string, error) {
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if ip := net.ParseIP(bare); ip != nil {
		return strings.Trim(s, "[]"), nil
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if s != "*" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return "", fmt.Errorf("must be names such as weir.example.com, without port, or *, not %q", s)
	}
	return s, nil
}

// checkOrigin takes an origin exactly as browsers write it.
func checkOrigin(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Scheme+"://"+u.Host != s ||
		strings.ToLower(s) != s || strings.Contains(u.Host, "*") || u.User != nil {
		return "", fmt.Errorf("must be origins such as https://app.example.com (a scheme and a host in small letters, nothing after it, no *), not %q", s)
	}
	if p := u.Port(); (u.Scheme == "https" && p == "443") || (u.Scheme == "http" && p == "80") {
		return "", fmt.Errorf("%q names the port that goes without saying, which browsers leave out; leave it out", s)
	}
	return s, nil
}

func setProxies(c *config, text string) (bool, error) {
	c.TrustedProxies = nil
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		p, err := netip.ParsePrefix(item)
		if err != nil {
			a, err := netip.ParseAddr(item)
			if err != nil {
				return false, fmt.Errorf("must be addresses or networks such as 10.0.0.0/8, not %q", item)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Bits() == 0 {
			return false, fmt.Errorf("must not be every address there is (%s): anybody could say where they come from", item)
		}
		c.TrustedProxies = append(c.TrustedProxies, p.Masked())
	}
	return len(c.TrustedProxies) == 0, nil
}

func setDirectory(c *config, text string) (bool, error) {
	c.ACMEDirectory = text
	if text == "" {
		return true, nil
	}
	u, err := url.Parse(text)
	ok := err == nil && u.Host != "" && u.User == nil
	if ok && u.Scheme != "https" {
		ok = u.Scheme == "http" && isLocal(u.Hostname()) // an authority on this machine, to try things with
	}
	if !ok {
		return false, fmt.Errorf("must be a URL such as https://acme-v02.api.letsencrypt.org/directory")
	}
	return false, nil
}
