package provider

import (
	"errors"
	"net/url"
	"strings"
)

// ParseBase reads the address of an API. Its errors do not repeat it.
func ParseBase(raw string) (*url.URL, error) {
	base, err := url.Parse(raw)
	switch {
	case err != nil: // its text repeats the address, which may hold a password
		return nil, errors.New("BaseURL is not an address")
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("BaseURL must begin with http:// or https://")
	case base.Hostname() == "":
		return nil, errors.New("BaseURL names no host")
	case base.User != nil:
		return nil, errors.New("BaseURL must not hold a user or password; the key is a setting of its own")
	case base.Fragment != "":
		return nil, errors.New("BaseURL must not hold a fragment (#)")
	default:
		return base, nil
	}
}

// CheckKey refuses what cannot be an API key, without repeating it.
func CheckKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("the API key holds characters that no key has (a space, a line break, a letter outside ASCII)")
	}
	return nil
}
