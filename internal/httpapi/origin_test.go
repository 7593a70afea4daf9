package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"weir/internal/rag"
)

const page = "https://app.example.com"

func TestPagesOfOtherOrigins(t *testing.T) {
	h := newDoor(Config{Origins: []string{page}, Hosts: []string{"weir.example.com"}}, newService(t, rag.Config{}, &shelf{}))
	for _, tt := range []struct {
		name    string
		host    string
		headers []string
		status  int
		allowed string
	}{
		{"the named page", "weir.example.com", []string{"Origin", page, "Sec-Fetch-Site", "cross-site"}, 200, page},
		{"another scheme", "weir.example.com", []string{"Origin", "http://app.example.com", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a name that begins so", "weir.example.com", []string{"Origin", page + ".evil.example", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a port", "weir.example.com", []string{"Origin", page + ":8443", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"null", "weir.example.com", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"two origins", "weir.example.com", []string{"Origin", page, "Origin", "https://evil.example"}, 403, ""},
		{"the named page by another name of the server", "evil.example", []string{"Origin", page}, 403, page},
		{"no page", "weir.example.com", nil, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, http.MethodPost, "/v1/retrieve", strings.NewReader(`{"query":"a"}`), append(tt.headers, "Content-Type", contentJSON)...)
			r.Host = tt.host
			got := ask(t, h, r)
			if got.status != tt.status || got.header.Get("Access-Control-Allow-Origin") != tt.allowed || got.header.Get("Vary") != "Origin" {
				t.Errorf("status %d, headers %v", got.status, got.header)
			}
			if got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("what a browser adds by itself is taken")
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	for _, tt := range []struct {
		name    string
		origins []string
		host    string
		headers []string
		status  int
		asked   string
	}{
		{"the named page", []string{page}, "localhost", []string{"Origin", page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization, content-type"}, 204, "authorization, content-type"},
		{"another", []string{page}, "localhost", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 403, ""},
		{"none is named", nil, "localhost", []string{"Origin", page, "Access-Control-Request-Method", "POST"}, 403, ""},
		{"by a stranger's name", []string{page}, "evil.example", []string{"Origin", page, "Access-Control-Request-Method", "POST"}, 403, ""},
		{"no preflight", []string{page}, "localhost", []string{"Origin", page}, 405, ""},
		{"headers that are none", []string{page}, "localhost", []string{"Origin", page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "a\x01<b>"}, 204, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newDoor(Config{Origins: tt.origins}, newService(t, rag.Config{}, &shelf{}))
			r := request(t, http.MethodOptions, "/v1/retrieve", nil, tt.headers...)
			r.Host = tt.host
			got := ask(t, h, r)
			if got.status != tt.status || got.header.Get("Access-Control-Allow-Headers") != tt.asked {
				t.Errorf("status %d: %s; %v", got.status, got.body, got.header)
			}
			if ok := got.header.Get("Access-Control-Allow-Methods") != ""; ok != (tt.status == 204) {
				t.Errorf("headers %v", got.header)
			}
		})
	}
}

func TestAnyHost(t *testing.T) {
	svc := newService(t, rag.Config{}, &shelf{})
	for _, tt := range []struct {
		hosts []string
		host  string
		want  int
	}{
		{[]string{"*"}, "10.2.3.4:8080", 200},
		{[]string{"10.2.3.4"}, "10.2.3.4:8080", 200},
		{[]string{"weir.example.com"}, "WEIR.example.com.", 200},
		{[]string{"weir.example.com"}, "weir.example.com.evil.example", 403},
		{nil, "10.2.3.4", 403},
		{nil, "", 403},
	} {
		r := request(t, http.MethodGet, "/v1/documents", nil)
		r.Host = tt.host
		if got := ask(t, newDoor(Config{Hosts: tt.hosts}, svc), r); got.status != tt.want {
			t.Errorf("%q of %v: %d %s", tt.host, tt.hosts, got.status, got.body)
		}
	}
}

// What a request says of where it comes from is believed of a trusted proxy
// alone, and of what that passes on, only the end.
func TestWhence(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		name, remote string
		headers      []string
		client       string
		scheme       string
	}{
		{"straight", "203.0.113.9:5", nil, "203.0.113.9", "http"},
		{"a stranger's word", "203.0.113.9:5", []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-Proto", "https"}, "203.0.113.9", "http"},
		{"a proxy", "10.1.1.1:5", []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https"}, "203.0.113.9", "https"},
		{"two proxies", "10.1.1.1:5", []string{"X-Forwarded-For", "203.0.113.9, 10.2.2.2"}, "203.0.113.9", "http"},
		{"made up before the client", "10.1.1.1:5", []string{"X-Forwarded-For", "1.1.1.1, 203.0.113.9"}, "203.0.113.9", "http"},
		{"in two headers", "10.1.1.1:5", []string{"X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "203.0.113.9"}, "203.0.113.9", "http"},
		{"with a port", "10.1.1.1:5", []string{"X-Forwarded-For", "203.0.113.9:4711"}, "203.0.113.9", "http"},
		{"IPv6", "[fd00::1]:5", []string{"X-Forwarded-For", "[2001:db8::7]:4711"}, "2001:db8::7", "http"},
		{"nonsense", "10.1.1.1:5", []string{"X-Forwarded-For", "1.1.1.1, <script>"}, "10.1.1.1", "http"},
		{"a proxy that says nothing", "10.1.1.1:5", nil, "10.1.1.1", "http"},
		{"a scheme that is none", "10.1.1.1:5", []string{"X-Forwarded-Proto", "gopher"}, "10.1.1.1", "http"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logLines{}
			h := newDoor(Config{Proxies: proxies, Log: newLogger(log)}, newService(t, rag.Config{}, &shelf{}))
			r := request(t, http.MethodGet, "/v1/documents", nil, tt.headers...)
			r.RemoteAddr = tt.remote
			ask(t, h, r)
			log.wait(t, `"client":"`+tt.client+`"`, `"scheme":"`+tt.scheme+`"`)
		})
	}
	d := newDoor(Config{Proxies: proxies}, newService(t, rag.Config{}, &shelf{}))
	r := request(t, http.MethodGet, "/", nil, "X-Forwarded-For", strings.Repeat("1.1.1.1,", 5000)+"10.0.0.1")
	r.RemoteAddr = "10.1.1.1:1"
	if got := d.whence(r); !got.client.IsValid() {
		t.Errorf("got %+v", got)
	}
}
