package httpapi

import (
	"reflect"
	"strconv"

	"weir/internal/openapi"
	"weir/internal/rag"
)

func (d *door) documentSchemas() []openapi.Entry {
	return []openapi.Entry{
		{
			Name: "NewDocument", Type: reflect.TypeFor[textDocument](), Taken: true, About: "A document as text.",
			Fields: map[string]string{
				"filename": "a label of at most " + strconv.Itoa(rag.MaxFilenameBytes) + " bytes without control characters or those that turn the direction of writing; it may contain folders",
				"text":     "what the document says, at most " + size(d.cfg.MaxFileBytes),
			},
			Refine: func(s *openapi.Schema) {
				openapi.Lengths(s.Properties["filename"], 1, rag.MaxFilenameBytes)
				s.Properties["filename"].Pattern = `^[^\x00-\x1f\x7f-\x9f]*$`
				least := 1
				s.Properties["text"].MinLength = &least
			},
		},
		{
			Name: "Document", Type: reflect.TypeFor[rag.Document](), About: "What is known of an uploaded document.",
			Fields: map[string]string{
				"id":         "of the document",
				"filename":   "as it was given",
				"media_type": "as found by content; absent until it was read",
				"title":      "the document's own; absent when it has none",
				"status":     "where it stands",
				"progress":   "pages while `parsing`, passages while `embedding`",
				"error":      "why it failed; absent otherwise",
				"waiting":    "why a queued document is not worked on yet; absent otherwise",
				"warning":    "what of it could not be read and so is never found, such as damaged pages or scans; absent when all was read",
				"bytes":      "of the file",
				"sha256":     "of the file",
				"pages":      "0 for formats without pages",
				"chunks":     "its passages",
				"tokens":     "of all passages together",
				"model":      "of its vectors; absent when it has none",
				"created_at": "when it was uploaded",
				"updated_at": "when it last changed",
			},
			Refine: func(s *openapi.Schema) { s.Properties["sha256"].Pattern = "^[0-9a-f]{64}$" },
		},
		{Name: "DocumentError", Type: reflect.TypeFor[rag.DocumentError](), About: "Why a document failed, or a move to another model.", Fields: map[string]string{
			"code": "to go by", "message": "for people",
		}},
		{Name: "Progress", Type: reflect.TypeFor[rag.Progress](), About: "How much is done.", Fields: map[string]string{
			"done": "so far", "total": "0 as long as it is unknown",
		}},
		{Name: "EmbeddingModel", Type: reflect.TypeFor[rag.Model](), About: "The model of vectors; `{}`: there are none.", Fields: map[string]string{
			"name": "of the model", "dimensions": "how many values a vector has",
		}},
		{Name: "PassageList", Type: reflect.TypeFor[PassageList](), About: "Some passages of a document.", Fields: map[string]string{
			"passages": "in the order of the document", "next": "`first` of the next call; absent after the last",
		}},
		{Name: "DocumentList", Type: reflect.TypeFor[DocumentList](), About: "One page of the list.", Fields: map[string]string{
			"documents": "newest first", "next_cursor": "`cursor` of the next page; empty on the last",
		}},
	}
}

func statusSchemas() []openapi.Entry {
	return []openapi.Entry{
		{Name: "Problem", Type: reflect.TypeFor[Problem](), About: "An error (RFC 9457).", Fields: map[string]string{
			"type":           "always `about:blank`",
			"title":          "the same for all of a code",
			"status":         "the HTTP status",
			"detail":         "what went wrong, for people",
			"code":           "to go by",
			"field":          "the field, parameter or header at fault, if one is",
			"phase":          "where it happened, such as `queue`, `body`, `dial` or `headers`",
			"retry_after_ms": "how long to wait before trying again; absent when unknown",
			"operation_id":   "the id of this call; it is also in the server's log",
			"document":       "of an upload with `wait=true`: the document that failed",
		}},
		{Name: "Health", Type: reflect.TypeFor[health](), About: "A word.", Fields: map[string]string{"status": "`ok`, `ready`"}},
		{Name: "Lane", Type: reflect.TypeFor[Lane](), About: "How many there are, and may be.", Fields: map[string]string{"now": "how many there are", "max": "how many there may be"}},
		{Name: "Call", Type: reflect.TypeFor[rag.Call](), About: "A call in flight.", Fields: map[string]string{
			"operation_id": "its id", "operation": "its kind", "stage": "where it is", "age_ms": "since it began", "left_ms": "until its deadline",
		}},
		{Name: "Move", Type: reflect.TypeFor[rag.Move](), About: "A move of all documents to another embedding model.", Fields: map[string]string{
			"from":     "absent when the documents had no vectors",
			"to":       "the model of the settings",
			"running":  "it is under way",
			"progress": "passages that have a vector of the new model",
			"error":    "why it ended before its end; what was made is kept",
			"began_at": "when it began",
		}},
		{Name: "Recent", Type: reflect.TypeFor[rag.Recent](), About: "What became of the calls of one operation that ended in the last minute.", Fields: map[string]string{
			"operation": "which",
			"calls":     "how many: the sum of the next four",
			"answered":  "with an answer",
			"refused":   "with rate_limited or overloaded",
			"canceled":  "the caller left",
			"failed":    "with any other code",
			"degraded":  "of those answered",
			"p50_ms":    "of those answered: half took no longer",
			"p95_ms":    "of those answered: 95 in 100 took no longer",
			"max_ms":    "of those answered: the longest",
			"window_ms": "how far back this goes: a minute, less when there were too many calls to remember",
		}},
		{Name: "Status", Type: reflect.TypeFor[Status](), About: "What goes on. No questions, names or users.", Fields: map[string]string{
			"in_flight":           "the calls in flight, oldest first, those that wait for a place among them",
			"max_in_flight":       "how many there may be",
			"waiting":             "calls that wait for a place",
			"max_waiting":         "how many may",
			"bytes":               "of memory that the calls may need",
			"max_bytes":           "how many there may be",
			"predicted_wait_ms":   "of one call more",
			"refused":             "calls, since the start",
			"deadline_overruns":   "calls that outlived their deadline by more than 50 ms, since the start; always 0",
			"documents_queued":    "documents that wait to be worked on",
			"documents_in_work":   "documents being worked on",
			"embedder":            "the model of questions and documents; null when there is none",
			"embedder_configured": "the model of the settings, where the documents are of another; absent where they are not",
			"embedder_missing":    "nobody is set who has vectors of `embedder`; absent when somebody is",
			"embedder_error":      "why the embedder in use is not believed, such as that it gives other vectors than the documents have; absent when it is",
			"writes_error":        "why nothing can be stored, while retrieval can be answered; absent when it can",
			"move":                "the latest move to another model; absent when there was none since the start",
			"store_error":         "the code of the error with which the store did not answer; absent when it did",
			"chat_model":          "the model that writes answers; empty when there is none",
			"answer_timeout_ms":   "the longest an answer may take",
			"default_mode":        "of a question that names none",
			"timeout_ms":          "the longest a call may take",
			"max_file_bytes":      "the largest upload",
			"version":             "of the server",
			"started_at":          "when it started",
			"uptime_ms":           "since then",
			"requests":            "under way at the door, health and status apart",
			"body_bytes":          "of memory that bodies and vectors in answers hold",
			"uploads":             "being received",
			"streams":             "open streams of events, and calls with `wait=true`",
			"answers":             "being written, of `/v1/ask` and `/v1/chat/completions`",
			"mcp_calls":           "calls of `/mcp` under way",
			"draining":            "the server is about to stop",
			"recent":              "what became of the calls of the last minute, by operation",
			"in_flight_of_others": "calls of other users by stage, for a caller who may not see each; absent for one who may",
			"identity":            "how it stands with keys, tokens and the audit log, for a caller with the right to metrics; absent without authentication",
			"pipeline":            "what goes on towards the embedding provider, in its own words; absent without one",
			"chat":                "what goes on towards the chat model, in its own words; absent without one",
		}},
	}
}
