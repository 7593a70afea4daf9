// Package certs is where the server's TLS certificate comes from: two files,
// read again when they change, or an authority that is asked for one (ACME).
//
// # Goals
//
//   - A new certificate is in use without a restart, and one that does not work
//     is not: the one before it stays, and the log says why.
//   - No handshake waits for a disk, and none for long for an authority.
//
// # Design
//
// [Files] looks at its files from a goroutine of its own (Run); a handshake takes
// what is there. [Authority] is x/crypto's autocert, which asks for a
// certificate when a client first names a domain, by the challenge that is
// answered on this very port (TLS-ALPN-01), and again before it runs out. A
// handshake waits for it for as long as a client would, and the asking goes on
// without it.
package certs
