package httpapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

func TestPace(t *testing.T) {
	type step struct {
		after time.Duration
		bytes int
	}
	every := func(d time.Duration, bytes, times int) (steps []step) {
		for range times {
			steps = append(steps, step{d, bytes})
		}
		return steps
	}
	const rate = 1000
	for _, tt := range []struct {
		name  string
		steps []step
		cut   time.Duration // when, after the beginning
		slow  bool
	}{
		{"nothing comes", nil, 5 * time.Second, true},
		{"then silence", []step{{time.Second, 500}}, 5500 * time.Millisecond, true},
		{"much, then silence", []step{{time.Second, 900_000}}, 6 * time.Second, true},
		{"below the rate", every(time.Second, 900, 59), 41900 * time.Millisecond, true}, // a tenth of a second is lost in each
		{"just the rate", every(time.Second, 1000, 59), 60 * time.Second, false},
		{"above it", every(100*time.Millisecond, 10_000, 599), 60 * time.Second, false},
		{"bytes one by one", every(100*time.Millisecond, 1, 500), 5050 * time.Millisecond, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var deadline time.Time
				p := newPace(rate, 5*time.Second, time.Minute, func(at time.Time) error { deadline = at; return nil })
				for _, s := range tt.steps {
					if pass(s.after); deadline.Before(time.Now()) {
						break
					}
					p.came(s.bytes)
				}
				if cut := deadline.Sub(began).Round(time.Millisecond); cut != tt.cut || p.slow() != tt.slow {
					t.Errorf("cut off after %v, slow: %t; want %v, %t", cut, p.slow(), tt.cut, tt.slow)
				}
			})
		})
	}
}

func TestSlowUploadIsCutOff(t *testing.T) {
	h := newHouse(t, Config{UploadGrace: 50 * time.Millisecond}, rag.Config{})
	form, body := formOf(t, [3]string{"file", "a.txt", "text"})
	for _, tt := range []struct{ name, head, part string }{
		{"form", "Content-Type: " + form, body[:len(body)-20]},
		{"text", "Content-Type: application/json", `{"filename":`},
		{"nothing", "Content-Type: " + form, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := h.say(t, "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\n"+tt.head+"\r\nContent-Length: 9000000\r\n\r\n"+tt.part)
			if p := got.problem(t); p.Code != rag.Timeout || p.Phase != "body" || !strings.Contains(p.Detail, "16 KiB (16384 bytes) per second") {
				t.Errorf("got %+v", p)
			}
		})
	}
	if n := h.Server.door.uploads.look().Now; n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

// TestUploadShare: a user whose uploads stall leaves places to the others.
func TestUploadShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newDoor(Config{MaxUploads: 4}, newService(t, rag.Config{}, &shelf{}))
		stalled, end := io.Pipe()
		var senders sync.WaitGroup
		upload := func(user string, body io.Reader) *response {
			return ask(t, h, request(t, http.MethodPost, "/v1/documents", body, "Content-Type", contentJSON, "X-User-ID", user))
		}
		for range 2 {
			senders.Go(func() { upload("ann", stalled) })
		}
		synctest.Wait()
		began := time.Now()
		got := upload("ann", strings.NewReader(`{"filename":"a","text":"a"}`))
		if p := got.problem(t); p.Code != rag.RateLimited || p.RetryAfterMS == 0 || !strings.Contains(p.Detail, "2 uploads") || time.Since(began) != 5*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), p)
		}
		if got := upload("ben", strings.NewReader(`{"filename":"b","text":"b"}`)); got.status != 202 {
			t.Errorf("another user: %d %s", got.status, got.body)
		}
		// One of hers that waits gets the place of one that ends.
		late := make(chan *response)
		go func() { late <- upload("ann", strings.NewReader(`{"filename":"a","text":"a"}`)) }()
		synctest.Wait()
		end.Close()
		if got := <-late; got.status != 202 {
			t.Errorf("the one that waited: %d %s", got.status, got.body)
		}
		senders.Wait()
		if n, users := h.uploads.look().Now, len(h.shares.users); n != 0 || users != 0 {
			t.Errorf("afterwards %d places are taken, %d users remembered", n, users)
		}
	})
}

func TestShareOfOnePlace(t *testing.T) {
	h := newDoor(Config{MaxUploads: 1}, newService(t, rag.Config{}, &shelf{}))
	r := request(t, http.MethodPost, "/v1/documents", strings.NewReader(`{"filename":"a","text":"a"}`), "Content-Type", contentJSON)
	if got := ask(t, h, r); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestWaitingForAShareEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares("uploads", 1)
		leave, err := s.enter(t.Context(), "ann", 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := s.enter(ctx, "ann", time.Hour)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; rag.CodeOf(err) != rag.Canceled {
			t.Errorf("got %v", err)
		}
		leave()
		leave() // a second time does nothing
		if len(s.users) != 0 {
			t.Errorf("%d users are remembered", len(s.users))
		}
	})
}

// TestStopBreaksOffAnUpload: it is the server that broke off, and its log must
// not say that it was the caller.
func TestStopBreaksOffAnUpload(t *testing.T) {
	h := newHouse(t, Config{DrainTimeout: 30 * time.Millisecond}, rag.Config{})
	form, body := formOf(t, [3]string{"file", "a.txt", "text"})
	c := h.dial(t)
	if _, err := io.WriteString(c, "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: "+form+"\r\nContent-Length: 9000\r\n\r\n"+body[:len(body)-20]); err != nil {
		t.Fatal(err)
	}
	for h.Server.door.uploads.look().Now == 0 { // until it is being received
		if _, err := h.client(t).Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.stop()
	line := h.log.wait(t, `"route":"/v1/documents"`)
	if !strings.Contains(line, `"code":"unavailable"`) || !strings.Contains(line, "the server stopped") || strings.Contains(line, "caller") {
		t.Errorf("the log says %s", line)
	}
}
