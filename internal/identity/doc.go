// Package identity finds out who calls: by API keys of Weir's own (keys kept in
// a file, keyring.go) and by tokens that another has made (JWT, token.go). It
// also bounds what one user asks (limits.go) and writes down who did what
// (audit.go).
//
// # Goals
//
//   - Nobody is let in by mistake: what is not understood is refused, a header
//     that is there twice is not read at all, and each algorithm has keys of its own.
//   - An answer to a wrong key is the same, and takes the same work, whether there
//     is a key of that name or not. Only who has shown the secret is told that it
//     has expired or was revoked.
//   - Nothing here is waited for without a bound: the keys of an issuer are fetched
//     beside the callers, who wait for them only when nothing else would do, and
//     not long. While the issuer is away its last keys stay good for a day.
//   - A file that is broken or gone takes nothing away and opens nothing: what
//     was read last stays in force, and the trouble shows.
//
// # Design
//
// The secret of an API key is 256 random bits, so its SHA-256 is all that a file
// of keys has to hold: a slow hash such as bcrypt makes up for secrets that can
// be guessed, which this cannot, and would cost each call what guessing should
// cost. Whoever reads the file learns nothing that opens a door.
//
// Wrong credentials are counted by address, and those beyond the bound are
// answered with rate_limited; right ones are let in all the same. To refuse
// before looking would let anyone lock out all who share an address: an office, or
// everybody behind the same proxy. Guessing is hopeless in any case.
//
// What a proxy says of a caller (X-Forwarded-For and the like) is not believed.
package identity
