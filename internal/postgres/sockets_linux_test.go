package postgres

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// TestSocketsBeingOpenedAtTheCut: nobody waits for a host that does not even take
// a connection.
func TestSocketsBeingOpenedAtTheCut(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil { // room for one that is not accepted
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	local, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		t.Fatalf("bound to %v", name)
	}
	address := fmt.Sprintf("127.0.0.1:%d", local.Port)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const callers = 4
	var s sockets
	told := make(chan error, callers)
	for range callers {
		go func() {
			_, err := s.dial(ctx, "tcp", address)
			told <- err
		}()
	}
	if err := <-told; err != nil {
		t.Fatalf("the first: %v", err)
	}
	s.cut()
	for range callers - 1 {
		t.Log("one that was cut: ", <-told) // nil: it was taken after all, and is closed
	}
	if ctx.Err() != nil {
		t.Error("they were waited for to the end")
	}
}
