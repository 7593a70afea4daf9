package main

import (
	"io"
	"os"
	"strings"
)

// maxSecret is the longest secret that is read from a file.
const maxSecret = 64 << 10

// fileSuffix makes of a secret's variable the one that names a file with it,
// as the secrets of containers and services come.
const fileSuffix = "_FILE"

// readSecret reads a secret from a file. Line ends at its end are not part of it.
func readSecret(variable, name string) (string, error) {
	f, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return "", usagef("the file %s that %s names cannot be read: %s", name, variable, cause(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", usagef("the file %s that %s names cannot be read: %s", name, variable, cause(err))
	case len(content) > maxSecret:
		return "", usagef("the file %s that %s names is larger than %s; it is no secret", name, variable, size(maxSecret))
	}
	secret := strings.TrimRight(string(content), "\r\n")
	switch {
	case strings.TrimSpace(secret) == "":
		// Not "as if it were not set": an empty file is a secret that did not arrive.
		return "", usagef("the file %s that %s names is empty", name, variable)
	case strings.ContainsAny(secret, "\r\n\x00"):
		return "", usagef("the file %s that %s names has more than one line; it must hold the secret alone", name, variable)
	}
	return secret, nil
}

// secretFile is the variable that names the file of a secret, and empty for
// what is no secret.
func (s setting) secretFile() string {
	if !s.secret {
		return ""
	}
	return s.env + fileSuffix
}

// fromFile is what the variable of the secret's file says, if it is set.
func (s setting) fromFile(variables map[string]string) (origin, bool, error) {
	name := s.secretFile()
	if name == "" || variables[name] == "" {
		return origin{}, false, nil
	}
	if variables[s.env] != "" {
		return origin{}, false, usagef("%s and %s are both set; take one of them", s.env, name)
	}
	secret, err := readSecret(name, variables[name])
	return origin{secret, name}, err == nil, err
}

// part is a part of the address of Postgres: a variable that is no setting. A
// password may come from a file, as another setting's secret.
func (a *app) part(name string) (string, error) {
	v, file := a.variable(name), a.variable(name+fileSuffix)
	switch {
	case !strings.HasSuffix(name, "PASSWORD") || file == "":
		return v, nil
	case v != "":
		return "", usagef("%s and %s are both set; take one of them", name, name+fileSuffix)
	}
	return readSecret(name+fileSuffix, file)
}
