package main

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// setter reads text into the config and reports whether it is the zero of its
// kind, which stands for the default but where none of it can be asked for.
type setter func(c *config, text string) (zero bool, err error)

func setText(field func(*config) *string) setter {
	return func(c *config, text string) (bool, error) {
		*field(c) = text
		return text == "", nil
	}
}

func setOneOf(field func(*config) *string, names ...string) setter {
	return func(c *config, text string) (bool, error) {
		if text != "" && !slices.Contains(names, text) {
			last := len(names) - 1
			return false, fmt.Errorf("must be %s or %s, not %q", strings.Join(names[:last], ", "), names[last], text)
		}
		*field(c) = text
		return text == "", nil
	}
}

func setAddress(field func(*config) *string) setter {
	return func(c *config, text string) (bool, error) {
		*field(c) = text
		if text == "" {
			return true, nil
		}
		_, port, err := net.SplitHostPort(text)
		if err != nil {
			return false, fmt.Errorf("must be host:port such as 127.0.0.1:8080, not %q", text)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return false, fmt.Errorf("port must be from 0 to 65535, not %q", port)
		}
		return false, nil
	}
}

func setInt(field func(*config) *int, least, most int) setter {
	return func(c *config, text string) (bool, error) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return false, fmt.Errorf("must be a whole number, not %q", text)
		}
		if n != 0 && (n < least || n > most) {
			return false, fmt.Errorf("must be from %d to %d, not %d", least, most, n)
		}
		*field(c) = n
		return n == 0, nil
	}
}

// setCount is setInt for what there may be none of: 0 is 0, and not the default.
func setCount(field func(*config) *int, most int) setter {
	return func(c *config, text string) (bool, error) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return false, fmt.Errorf("must be a whole number, not %q", text)
		}
		if n < 0 || n > most {
			return false, fmt.Errorf("must be from 0 to %d, not %d", most, n)
		}
		*field(c) = n
		return false, nil
	}
}

func setPart(field func(*config) *float64, least float64) setter {
	return func(c *config, text string) (bool, error) {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return false, fmt.Errorf("must be a number such as 0.5, not %q", text)
		}
		if v != 0 && !(v >= least && v <= 1) { // not NaN either
			return false, fmt.Errorf("must be from %v to 1, not %s", least, text)
		}
		*field(c) = v
		return v == 0, nil
	}
}

func setTime(field func(*config) *time.Duration, least, most time.Duration) setter {
	return func(c *config, text string) (bool, error) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return false, fmt.Errorf("must be a time such as 500ms, 10s or 30m, not %q", text)
		}
		if d != 0 && (d < least || d > most) {
			return false, fmt.Errorf("must be from %s to %s, not %s", short(least), short(most), short(d))
		}
		*field(c) = d
		return d == 0, nil
	}
}

func setSize(field func(*config) *int64, least, most int64) setter {
	return func(c *config, text string) (bool, error) {
		n, err := humanize.ParseBytes(text)
		if err != nil {
			return false, fmt.Errorf("must be a size such as 64MiB or 500MB, not %q", text)
		}
		if n != 0 && (n < uint64(least) || n > uint64(most)) { //nolint:gosec // the limits are positive
			return false, fmt.Errorf("must be from %s to %s, not %s", size(least), size(most), text)
		}
		*field(c) = int64(min(n, math.MaxInt64))
		return n == 0, nil
	}
}

func setLevel(c *config, text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, text) {
		return false, fmt.Errorf("must be debug, info, warn or error, not %q", text)
	}
	return false, c.LogLevel.UnmarshalText([]byte(text))
}

// setBaseURL reads the address of an API. key is the setting for its key.
func setBaseURL(field func(*config) *string, key string) setter {
	return func(c *config, text string) (bool, error) {
		*field(c) = strings.TrimRight(text, "/")
		if text == "" {
			return true, nil
		}
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return false, fmt.Errorf("must be a URL such as %s", openAI)
		}
		if u.User != nil {
			return false, fmt.Errorf("must hold no name or password; give the key in %s", key)
		}
		return false, nil
	}
}

// setList reads what has commas between it, each item as check leaves it.
func setList(field func(*config) *[]string, check func(string) (string, error)) setter {
	return func(c *config, text string) (bool, error) {
		var list []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			checked, err := check(item)
			if err != nil {
				return false, err
			}
			list = append(list, checked)
		}
		*field(c) = list
		return len(list) == 0, nil
	}
}

// short is a time without the zeros that 30m0s ends in.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// size is a number of bytes for people.
func size(n int64) string {
	return strings.Replace(humanize.IBytes(uint64(max(n, 0))), ".0 ", " ", 1)
}
