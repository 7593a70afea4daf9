// Command manifests checks the files of deploy/ that a cluster and compose
// read: strictly, against the Kubernetes types and the compose specification,
// and against this project's own rules for what runs there. It is a module of
// its own, so that Weir does not depend on Kubernetes.
//
//	go run . [FOLDER]     default ../../deploy
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
	folder := filepath.Join("..", "..", "deploy")
	if len(os.Args) > 1 {
		folder = os.Args[1]
	}
	objects, err := checkKubernetes(filepath.Join(folder, "kubernetes"))
	services, composeErr := checkCompose(ctx, filepath.Join(folder, "docker", "compose.yaml"))
	if err := errors.Join(err, composeErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // there is nothing to clear up
	}
	fmt.Printf("%d Kubernetes objects and %d compose services are as they should be\n", objects, services)
}
