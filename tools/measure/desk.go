package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"weir/internal/chaos"
	"weir/internal/openai"
)

// desk is a provider of embeddings with so many slots, each of which takes its
// time, and a largest batch. It is as fast as can be beside that: its vectors
// are made beforehand.
type desk struct {
	slots   chan struct{} // nil: no bound
	latency time.Duration
	batch   int // 0: what the protocol allows
	vectors [][]float32

	later        atomic.Bool // it puts everybody off for ten minutes
	calls, texts atomic.Int64

	server *http.Server
	url    string
	served chan error
}

// deskVectors is how many different vectors it has.
const deskVectors = 256

func openDesk(ctx context.Context, dim, slots int, latency time.Duration, batch int) (*desk, error) {
	d := &desk{latency: latency, batch: batch, served: make(chan error, 1)}
	if slots > 0 {
		d.slots = make(chan struct{}, slots)
	}
	for i := range deskVectors {
		d.vectors = append(d.vectors, chaos.Vector(fmt.Sprintf("vector %d", i), dim))
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.url = "http://" + l.Addr().String() + "/v1"
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 10 * time.Second}
	go func() { d.served <- d.server.Serve(l) }()
	return d, nil
}

// close ends it and waits.
func (d *desk) close() error {
	err := d.server.Close()
	if served := <-d.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// maxDeskBody bounds a request.
const maxDeskBody = 8 << 20

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDeskBody))
	if err != nil {
		return
	}
	d.calls.Add(1)
	req, err := openai.DecodeEmbeddingsRequest(body, openai.Limits{Items: 2048, Values: 4096})
	switch {
	case d.later.Load():
		w.Header().Set("Retry-After", "600")
		refuse(w, http.StatusTooManyRequests, "later")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
		return
	case d.batch > 0 && len(req.Input) > d.batch:
		refuse(w, http.StatusUnprocessableEntity, fmt.Sprintf("batch size %d > maximum allowed batch size %d", len(req.Input), d.batch))
		return
	}
	if !d.work(r.Context()) {
		return
	}
	d.texts.Add(int64(len(req.Input)))
	a := openai.Embeddings{Model: "chaos", Data: make([]openai.Embedding, len(req.Input))}
	for i, t := range req.Input {
		h := fnv.New32a()
		_, _ = io.WriteString(h, t) // never fails
		a.Data[i] = openai.Embedding{Index: i, Vector: d.vectors[h.Sum32()%deskVectors]}
	}
	if req.Encoding == "" {
		req.Encoding = openai.Float
	}
	out, err := a.Encode(req.Encoding)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out) // the client may have left
}

// work takes a slot for as long as an answer takes; false: the client left.
func (d *desk) work(ctx context.Context) bool {
	if d.slots != nil {
		select {
		case d.slots <- struct{}{}:
			defer func() { <-d.slots }()
		case <-ctx.Done():
			return false
		}
	}
	return d.latency == 0 || sleep(ctx, d.latency) == nil
}

func refuse(w http.ResponseWriter, status int, message string) {
	e := openai.Error{Status: status, Message: message, Type: "invalid_request_error"}
	out, err := e.Encode()
	if err != nil {
		http.Error(w, "cannot be", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(out)
}
