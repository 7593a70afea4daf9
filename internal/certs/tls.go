package certs

import "crypto/tls"

// base is what every server's connections have in common: TLS 1.2 or 1.3, with
// the ciphers of crypto/tls, all of which have forward secrecy.
func base() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}
