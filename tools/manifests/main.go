// Command manifests checks the files of deploy/ that a cluster and compose
// read: strictly, against the Kubernetes types and the compose specification,
// and against this project's own rules for what runs there. It is a module of
// its own, so that Weir does not depend on Kubernetes.
//
//	go run .                         the files of ../../deploy
//	go run . -rendered FILE...       what kustomize made of them, a file for each installation
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // there is nothing to clear up
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 1 && args[0] == "-rendered" {
		return checkRendered(args[1:])
	}
	folder := filepath.Join("..", "..", "deploy")
	objects, err := checkKubernetes(filepath.Join(folder, "kubernetes"))
	services, composeErr := checkCompose(ctx, filepath.Join(folder, "docker", "compose.yaml"))
	if err := errors.Join(err, composeErr); err != nil {
		return err
	}
	fmt.Printf("%d Kubernetes objects and %d compose services are as they should be\n", objects, services)
	return nil
}
