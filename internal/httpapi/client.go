package httpapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir/internal/rag"
)

// ClientConfig is what a Client can be told.
type ClientConfig struct {
	BaseURL       string        // such as http://127.0.0.1:8080; required
	Key           string        // an API key or token, sent as Authorization: Bearer. Defaults to none
	Timeout       time.Duration // the longest one call may take, uploads, answers and streams apart. Defaults to 1 min
	AnswerTimeout time.Duration // the longest that Ask may take when it does not stream. Defaults to 90 s
	UploadTimeout time.Duration // the longest one upload may take. Defaults to 5 min
	Connect       string        // host:port to connect to, whatever BaseURL says. Defaults to BaseURL's
	TLS           *tls.Config   // Defaults to the system's authorities
	Silence       time.Duration // the longest a stream may bring nothing, not even a heartbeat. Defaults to 45 s
}

// WithDefaults returns c with its zeros filled in.
func (c ClientConfig) WithDefaults() ClientConfig {
	c.Timeout = orDefault(c.Timeout, time.Minute)
	c.AnswerTimeout = orDefault(c.AnswerTimeout, 90*time.Second)
	c.UploadTimeout = orDefault(c.UploadTimeout, 5*time.Minute)
	c.Silence = orDefault(c.Silence, 3*heartbeat)
	return c
}

// Client speaks to a Weir server over HTTP. Its methods have the signatures
// and the errors of [rag.Service], so that a caller can use either: each error
// is a *[rag.Error], Unavailable when no server answers.
type Client struct {
	cfg  ClientConfig
	base *url.URL
	http *http.Client
}

// NewClient makes a Client; it does not connect.
func NewClient(cfg ClientConfig) (*Client, error) {
	cfg = cfg.WithDefaults()
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, rag.FieldErrorf("url", "%q is not the address of a server, such as http://127.0.0.1:8080", cfg.BaseURL)
	}
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	return &Client{
		cfg: cfg, base: base,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					return dialer.DialContext(ctx, network, orDefault(cfg.Connect, address))
				},
				TLSClientConfig:     cfg.TLS,
				TLSHandshakeTimeout: 2 * time.Second,
				// A connection is used once: a POST on one that the server has
				// just closed fails, and whether it was done is then unknown.
				DisableKeepAlives: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Retrieve answers r from user's documents.
func (c *Client) Retrieve(ctx context.Context, user rag.User, r rag.Request) (*rag.Response, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, rag.Errorf(rag.Invalid, "the request cannot be written as JSON: %w", err)
	}
	var resp rag.Response
	_, err = c.call(ctx, outgoing{
		method: http.MethodPost, path: []string{"retrieve"}, user: user,
		contentType: "application/json", body: bytes.NewReader(body), size: int64(len(body)),
	}, &resp)
	if err != nil {
		return nil, err
	}
	return &resp, nil
}

// Upload stores a document durably and queues it; n.SHA256 is not used.
// created is false when the user has a document of the same content already,
// which is then returned.
func (c *Client) Upload(ctx context.Context, user rag.User, n rag.NewDocument) (doc rag.Document, created bool, err error) {
	form, contentType, size, err := form(n)
	if err != nil {
		return rag.Document{}, false, err
	}
	query := url.Values{}
	if n.Replace {
		query.Set("replace", "true")
	}
	status, err := c.call(ctx, outgoing{
		method: http.MethodPost, path: []string{"documents"}, query: query, user: user,
		contentType: contentType, body: form, size: size, timeout: c.cfg.UploadTimeout,
	}, &doc)
	return doc, status != http.StatusOK, err
}

// form is the multipart body of an upload; the content is not copied.
func form(n rag.NewDocument) (body io.Reader, contentType string, size int64, err error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	_, err = w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", n.Filename)},
		"Content-Type":        {"application/octet-stream"},
	})
	if err != nil {
		return nil, "", 0, rag.Errorf(rag.Invalid, "the upload cannot be written: %w", err)
	}
	tail := "\r\n--" + w.Boundary() + "--\r\n"
	size = int64(head.Len() + len(n.Content) + len(tail))
	return io.MultiReader(&head, bytes.NewReader(n.Content), strings.NewReader(tail)), w.FormDataContentType(), size, nil
}

// Document returns one document.
func (c *Client) Document(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	var doc rag.Document
	_, err := c.call(ctx, outgoing{method: http.MethodGet, path: []string{"documents", id}, user: user}, &doc)
	return doc, err
}

// Documents lists the user's documents, newest first.
func (c *Client) Documents(ctx context.Context, user rag.User, p rag.Page) (docs []rag.Document, next string, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"cursor": p.Cursor, "status": string(p.Status), "filename": p.Filename} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if p.Limit != 0 {
		query.Set("limit", strconv.Itoa(p.Limit))
	}
	var list DocumentList
	_, err = c.call(ctx, outgoing{method: http.MethodGet, path: []string{"documents"}, query: query, user: user}, &list)
	return list.Documents, list.NextCursor, err
}

// Passages returns passages of one document in their order; see
// [rag.Service.Passages].
func (c *Client) Passages(ctx context.Context, user rag.User, id string, first, limit int) (passages []rag.Passage, next int, err error) {
	query := url.Values{"first": {strconv.Itoa(first)}}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var list PassageList
	_, err = c.call(ctx, outgoing{method: http.MethodGet, path: []string{"documents", id, "passages"}, query: query, user: user}, &list)
	return list.Passages, list.Next, err
}

// Delete removes a document and all that belongs to it.
func (c *Client) Delete(ctx context.Context, user rag.User, id string) error {
	_, err := c.call(ctx, outgoing{method: http.MethodDelete, path: []string{"documents", id}, user: user}, nil)
	return err
}

// Cancel stops the work on a document for good.
func (c *Client) Cancel(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	var doc rag.Document
	_, err := c.call(ctx, outgoing{method: http.MethodPost, path: []string{"documents", id, "cancel"}, user: user}, &doc)
	return doc, err
}

// Status is a look at what goes on in the server.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	_, err := c.call(ctx, outgoing{method: http.MethodGet, path: []string{"status"}}, &st)
	return st, err
}

// outgoing is one request to be made.
type outgoing struct {
	method      string
	path        []string // below /v1, unescaped
	query       url.Values
	user        rag.User // empty: the operation has none
	contentType string
	body        io.Reader
	size        int64
	timeout     time.Duration // Defaults to ClientConfig.Timeout
}

// maxAnswer is the longest answer a Client reads.
const maxAnswer = 256 << 20

// call makes one request and decodes its answer into v; with a nil v the
// answer is dropped.
func (c *Client) call(ctx context.Context, o outgoing, v any) (status int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, orDefault(o.timeout, c.cfg.Timeout), errClientTimeout)
	defer cancel()
	resp, err := c.send(ctx, o)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost: the connection is not used again
	if v == nil {
		return resp.StatusCode, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1)) //nolint:forbidigo // bounded
	switch {
	case err != nil:
		return 0, c.failed(ctx, "body", err)
	case len(body) > maxAnswer:
		return 0, &rag.Error{Code: rag.TooLarge, Phase: "body", Msg: fmt.Sprintf("the server's answer is longer than %d bytes", maxAnswer)}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return 0, undecodable(err)
	}
	return resp.StatusCode, nil
}

// send returns an answer of status 2xx, or what else came as an error.
func (c *Client) send(ctx context.Context, o outgoing) (*http.Response, error) {
	u := c.base.JoinPath("v1")
	for _, segment := range o.path {
		if segment == "" || segment == "." || segment == ".." {
			return nil, rag.Errorf(rag.NotFound, "there is no document %q", segment) // as a path it would mean another
		}
		u = u.JoinPath(url.PathEscape(segment))
	}
	u.RawQuery = o.query.Encode()
	req, err := http.NewRequestWithContext(ctx, o.method, u.String(), o.body)
	if err != nil {
		return nil, rag.Errorf(rag.Invalid, "the request cannot be made: %w", err)
	}
	req.ContentLength = o.size
	if o.contentType != "" {
		req.Header.Set("Content-Type", o.contentType)
	}
	if o.user != "" {
		// A header's value loses its outer spaces on the way, which would make
		// it another user's.
		if strings.TrimSpace(string(o.user)) != string(o.user) {
			return nil, rag.FieldErrorf("user", "must not begin or end with a space")
		}
		req.Header.Set(userHeader, string(o.user))
	}
	if c.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, "dial", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // as in call
	return nil, c.refused(resp)
}

// refused makes the error of an answer that is not 2xx.
func (c *Client) refused(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) //nolint:forbidigo // bounded; what is missing fails to decode
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return rag.Errorf(rag.Unavailable, "what answers at %s is not a Weir server (status %d)", c.base.Host, resp.StatusCode)
	}
	return p.err()
}

var errClientTimeout = errors.New("the client's own timeout has passed")

// failed makes the error of a call that brought no answer.
func (c *Client) failed(ctx context.Context, phase string, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errSilence):
		return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "the server at " + c.base.Host + " fell silent", Err: err}
	case errors.Is(ctx.Err(), context.Canceled):
		return &rag.Error{Code: rag.Canceled, Phase: phase, Msg: "the call was given up", Err: err}
	case ctx.Err() != nil:
		return &rag.Error{Code: rag.Timeout, Phase: phase, Msg: "the server at " + c.base.Host + " did not answer in time", Err: context.Cause(ctx)}
	case phase == "dial":
		return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "the server at " + c.base.Host + " cannot be reached", Err: err}
	default:
		return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "the server at " + c.base.Host + " broke off its answer", Err: err}
	}
}
