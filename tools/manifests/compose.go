package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

// checkCompose loads the file as docker compose does, and returns how many
// services it has.
func checkCompose(ctx context.Context, file string) (int, error) {
	opts, err := cli.NewProjectOptions([]string{file})
	if err != nil {
		return 0, err
	}
	p, err := opts.LoadProject(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for name, s := range p.Services {
		if s.HealthCheck == nil && s.Build == nil { // an image that is built here has its own
			errs = append(errs, fmt.Errorf("%s: %s has no health check", file, name))
		}
		for variable, value := range s.Environment {
			if strings.Contains(variable, "PASSWORD") && !strings.HasSuffix(variable, "_FILE") && value != nil {
				errs = append(errs, fmt.Errorf("%s: %s has a password in its environment: %s", file, name, variable))
			}
		}
		for _, secret := range s.Secrets {
			if _, ok := p.Secrets[secret.Source]; !ok {
				errs = append(errs, fmt.Errorf("%s: %s takes the secret %s, which is not there", file, name, secret.Source))
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				errs = append(errs, fmt.Errorf("%s: %s is open to the network on port %s", file, name, port.Published))
			}
		}
	}
	return len(p.Services), errors.Join(errs...)
}
