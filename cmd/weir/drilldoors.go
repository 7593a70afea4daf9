package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/drill"
	"weir/internal/rag"
)

// retrieveByMCP asks as an agent does: one message, by POST /mcp.
func (w *drilled) retrieveByMCP(ctx context.Context, u rag.User, r rag.Request) (answer rag.Response, failed *drill.Outcome) {
	type params struct {
		Name      string      `json:"name"`
		Arguments rag.Request `json:"arguments"`
	}
	message := struct {
		Version string `json:"jsonrpc"`
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Params  params `json:"params"`
	}{"2.0", 1, "tools/call", params{"retrieve", r}}
	status, body, err := w.post(ctx, u, "/mcp", message, http.Header{"Accept": {"application/json, text/event-stream"}})
	switch {
	case err != nil:
		return answer, new(broken(err))
	case status != http.StatusOK:
		return answer, new(refused(status, body))
	}
	var said struct {
		Result struct {
			IsError    bool            `json:"isError"`
			Structured json.RawMessage `json:"structuredContent"`
			Content    []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
		Error *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(body, &said); {
	case err != nil:
		return answer, new(broken(err))
	case said.Error != nil:
		return answer, &drill.Outcome{Kind: drill.Unclear, Detail: "an error of the protocol: " + said.Error.Message}
	case !said.Result.IsError:
		return decoded(said.Result.Structured)
	case len(said.Result.Content) == 0:
		return answer, &drill.Outcome{Kind: drill.Unclear, Detail: "an error without a word"}
	}
	return answer, new(told([]byte(said.Result.Content[0].Text)))
}

// told is a failure in JSON, as a tool and a command tell it: an error without a
// code is none that a caller can act upon.
func told(body []byte) drill.Outcome {
	var f failure
	if err := json.Unmarshal(body, &f); err != nil || f.Code == "" || f.Code == rag.Internal {
		return drill.Outcome{Kind: drill.Unclear, Detail: string(body)}
	}
	return drill.Outcome{Kind: drill.Failed, Code: string(f.Code), Detail: f.Message}
}

// retrieveByCLI asks as a script does: weir search on the data folder, which
// goes through the server.
func (w *drilled) retrieveByCLI(ctx context.Context, u rag.User, r rag.Request) (answer rag.Response, failed *drill.Outcome) {
	var out, talk bytes.Buffer
	args := []string{
		"search", "--json", "--data", w.dir, "--user", string(u),
		"--timeout", (time.Duration(r.TimeoutMS) * time.Millisecond).String(),
		"--threshold", strconv.FormatFloat(*r.SimilarityThreshold, 'f', -1, 64), "--", r.Query,
	}
	if r.Mode != "" {
		args = slices.Insert(args, 1, "--mode", string(r.Mode))
	}
	code := run(ctx, args, nil, strings.NewReader(""), &out, &talk)
	if code == exitOK {
		return decoded(out.Bytes())
	}
	var f struct {
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(out.Bytes(), &f); err != nil || talk.Len() == 0 {
		return answer, new(broken(errors.New("exit code " + strconv.Itoa(code) + ": " + talk.String() + out.String())))
	}
	return answer, new(told(f.Error))
}
