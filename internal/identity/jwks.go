package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
)

const (
	maxKid     = 256     // bytes
	maxKeySet  = 1 << 20 // bytes
	maxSetKeys = 256
)

// verifier is one public key, and the one algorithm it is for.
type verifier struct {
	kid string
	alg string // RS256 or ES256
	key any    // *rsa.PublicKey or *ecdsa.PublicKey
}

// jwk is a key as it comes (RFC 7517 and 7518).
type jwk struct {
	Type   string   `json:"kty"`
	Use    string   `json:"use"`
	Ops    []string `json:"key_ops"`
	Alg    string   `json:"alg"`
	ID     string   `json:"kid"`
	Curve  string   `json:"crv"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	Secret string   `json:"k"`
}

// parseKeySet reads the keys of a JWKS that can verify RS256 or ES256. Others
// are passed over: an issuer may have them for other ends. A set without any is
// an error.
func parseKeySet(content []byte) ([]verifier, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(bytes.NewReader(content)).Decode(&set); err != nil {
		return nil, errors.New("it is not a JSON Web Key Set")
	}
	if len(set.Keys) > maxSetKeys {
		return nil, errors.New("it holds too many keys")
	}
	var keys []verifier
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil {
			continue
		}
		v, ok := k.verifier()
		if !ok {
			continue
		}
		if slices.ContainsFunc(keys, func(o verifier) bool { return o.kid == v.kid && o.alg == v.alg }) {
			return nil, errors.New("two of its keys have the same kid")
		}
		keys = append(keys, v)
	}
	if len(keys) == 0 {
		return nil, errors.New("none of its keys is for RS256 or ES256")
	}
	return keys, nil
}

func (k jwk) verifier() (verifier, bool) {
	if k.Use != "" && k.Use != "sig" || len(k.Ops) > 0 && !slices.Contains(k.Ops, "verify") || len(k.ID) > maxKid || k.Secret != "" {
		return verifier{}, false
	}
	switch {
	case k.Type == "RSA" && (k.Alg == "" || k.Alg == "RS256"):
		key, ok := k.rsa()
		return verifier{k.ID, "RS256", key}, ok
	case k.Type == "EC" && k.Curve == "P-256" && (k.Alg == "" || k.Alg == "ES256"):
		key, ok := k.ec()
		return verifier{k.ID, "ES256", key}, ok
	default:
		return verifier{}, false
	}
}

func (k jwk) rsa() (*rsa.PublicKey, bool) {
	n, err := base64.RawURLEncoding.DecodeString(k.N)
	if err != nil {
		return nil, false
	}
	e, err := base64.RawURLEncoding.DecodeString(k.E)
	if err != nil || len(e) == 0 || len(e) > 4 {
		return nil, false
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	// Short keys can be broken, and very long ones would make each call dear.
	const least, most = 2048, 8192
	if bits := key.N.BitLen(); bits < least || bits > most || key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1 {
		return nil, false
	}
	return key, true
}

func (k jwk) ec() (*ecdsa.PublicKey, bool) {
	const size = 32
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, false
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y)) // refuses points off the curve
	return key, err == nil
}
