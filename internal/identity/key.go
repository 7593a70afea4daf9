package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir/internal/rag"
)

// Key is what is kept of an API key. It holds no secret.
type Key struct {
	ID      string     `json:"id"`
	Name    string     `json:"name,omitempty"`    // for people
	User    rag.User   `json:"user,omitempty"`    // whom it acts for; "": it is a service's
	Service bool       `json:"service,omitempty"` // acts for the users that its calls name
	Users   []string   `json:"users,omitempty"`   // of a service: what the names of its users begin with; none: any
	Scopes  []string   `json:"scopes"`
	SHA256  string     `json:"sha256"` // of the secret, lower-case hex
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // nil: never
	Revoked *time.Time `json:"revoked,omitempty"` // nil: not
}

// The scopes of keys.
const (
	ScopeRead    = "read"    // ask, and see documents
	ScopeWrite   = "write"   // add, cancel and delete documents
	ScopeMetrics = "metrics" // /metrics, and the whole of /v1/status; of services only
	ScopeAdmin   = "admin"   // /v1/reembed; of services only
)

func rightOf(scope string) rag.Rights {
	switch scope {
	case ScopeRead:
		return rag.MayRead
	case ScopeWrite:
		return rag.MayWrite
	case ScopeMetrics:
		return rag.MayObserve
	case ScopeAdmin:
		return rag.MayOperate
	default:
		return 0
	}
}

const (
	keyPrefix   = "weir_"
	ownerPrefix = keyPrefix + "owner_"
	idBytes     = 8
	secretBytes = 32
	idLetters   = 13 // of idBytes in base32
	secLetters  = 52
	sumLetters  = 7
)

// letters are those of base32 (RFC 4648), small: nothing that a double click
// or a URL breaks.
func letters() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// NewKey makes the secret of k, and fills in its ID, SHA256 and Created. secret
// is the whole of what a caller sends: weir_<id>_<secret and checksum>. It is
// nowhere else.
func NewKey(k Key, now time.Time) (made Key, secret string, err error) {
	var id [idBytes]byte
	var raw [secretBytes]byte
	_, _ = rand.Read(id[:]) // neither ever fails, says crypto/rand
	_, _ = rand.Read(raw[:])
	k.ID = letters().EncodeToString(id[:])
	k.SHA256 = hashOf(k.ID, raw[:])
	k.Created = now.UTC().Truncate(time.Second)
	if err := k.valid(); err != nil {
		return Key{}, "", err
	}
	return k, write(keyPrefix+k.ID+"_", raw[:]), nil
}

// NewOwnerSecret makes the secret by which a process knows the owner of its
// data folder.
func NewOwnerSecret() string {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:])
	return write(ownerPrefix, raw[:])
}

// write adds the secret and a checksum of all, by which scanners tell a key
// from what only looks like one.
func write(head string, raw []byte) string {
	s := head + letters().EncodeToString(raw)
	return s + checksum(s)
}

func checksum(s string) string {
	return letters().EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(s))))
}

// readKey takes a key apart; ok is false for what none can be.
func readKey(s string) (id string, raw []byte, ok bool) {
	rest, ok := strings.CutPrefix(s, keyPrefix)
	if !ok || len(rest) != idLetters+1+secLetters+sumLetters || rest[idLetters] != '_' {
		return "", nil, false
	}
	body := s[:len(s)-sumLetters]
	if checksum(body) != s[len(body):] { // no secret: it follows from the rest
		return "", nil, false
	}
	raw, err := letters().DecodeString(rest[idLetters+1 : idLetters+1+secLetters])
	if err != nil || len(raw) != secretBytes {
		return "", nil, false
	}
	return rest[:idLetters], raw, true
}

// hashOf is what a file of keys holds of a secret.
func hashOf(id string, raw []byte) string {
	h := sha256.New()
	h.Write([]byte("weir key 1\x00" + id + "\x00"))
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil))
}

// matches compares in a time that does not depend on where they differ.
func (k Key) matches(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(k.SHA256), []byte(hash)) == 1
}

// Rights are those of the key's scopes.
func (k Key) Rights() rag.Rights {
	var r rag.Rights
	for _, s := range k.Scopes {
		r |= rightOf(s)
	}
	return r
}

// Kind is what the key is, in a word.
func (k Key) Kind() string {
	if k.Service {
		return "service"
	}
	return "user"
}

// State is active, expired or revoked.
func (k Key) State(now time.Time) string {
	switch {
	case k.Revoked != nil:
		return "revoked"
	case k.Expires != nil && !now.Before(*k.Expires):
		return "expired"
	default:
		return "active"
	}
}

// serves reports whether a service's key may act for user.
func (k Key) serves(user rag.User) bool {
	return len(k.Users) == 0 || slices.ContainsFunc(k.Users, func(p string) bool { return strings.HasPrefix(string(user), p) })
}

// valid refuses a key that could mean more than it says.
func (k Key) valid() error {
	if id, err := letters().DecodeString(k.ID); err != nil || len(id) != idBytes {
		return fmt.Errorf("%q is not the id of a key", k.ID)
	}
	if sum, err := hex.DecodeString(k.SHA256); err != nil || len(sum) != sha256.Size || strings.ToLower(k.SHA256) != k.SHA256 {
		return fmt.Errorf("the sha256 of key %s is none", k.ID)
	}
	switch {
	case k.Service == (k.User != ""):
		return fmt.Errorf("key %s must be of a user or of a service", k.ID)
	case len(k.Scopes) == 0:
		return fmt.Errorf("key %s has no scopes", k.ID)
	case len(k.Users) > 0 && !k.Service:
		return fmt.Errorf("key %s is of one user, and has users besides", k.ID)
	case slices.Contains(k.Users, ""):
		return fmt.Errorf("key %s has an empty name among its users, which would be any", k.ID)
	case k.Created.IsZero():
		return fmt.Errorf("key %s does not say when it was created", k.ID)
	case !printable(k.Name) || len(k.Name) > 128:
		return errors.New("the name of a key must be at most 128 bytes of UTF-8 without control characters")
	}
	if !k.Service {
		if err := checkUser(k.User); err != nil {
			return fmt.Errorf("the user of key %s %w", k.ID, err)
		}
	}
	for _, s := range k.Scopes {
		switch {
		case rightOf(s) == 0:
			return fmt.Errorf("key %s has a scope %q, which there is not", k.ID, s)
		case !k.Service && (s == ScopeMetrics || s == ScopeAdmin):
			return fmt.Errorf("key %s is a user's, and the scope %s is for services", k.ID, s)
		case s == ScopeAdmin && len(k.Users) > 0:
			return fmt.Errorf("key %s is for some users, and the scope admin concerns all", k.ID)
		}
	}
	return nil
}

// checkUser refuses a user that no header could name.
func checkUser(u rag.User) error {
	s := string(u)
	switch {
	case s == "":
		return errors.New("is empty")
	case len(s) > rag.MaxUserBytes:
		return fmt.Errorf("is %d bytes long; the limit is %d", len(s), rag.MaxUserBytes)
	case !printable(s):
		return errors.New("is not UTF-8 without control characters")
	case strings.TrimSpace(s) != s:
		return errors.New("begins or ends with a space")
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
