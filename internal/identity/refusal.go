package identity

// refusal is why a credential is not taken, in words of our own: nothing of the
// credential itself may come into a log.
type refusal string

func (r refusal) Error() string { return string(r) }

// The refusals that the caller is told: only who holds the secret of a key, or a
// token with a right signature, gets as far. All others are answered alike.
const (
	keyExpired   = refusal("the key has expired")
	keyRevoked   = refusal("the key has been revoked")
	tokenExpired = refusal("the token has expired")
	tokenEarly   = refusal("the token is not valid yet")
)

// What else ends a call that was let in and lasts.
const (
	keyGone    = refusal("the key has been taken out of the file of keys")
	keyChanged = refusal("what the key may do has been changed")
)
