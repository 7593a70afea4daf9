package main

import "time"

// chatConfig is the model that writes answers.
type chatConfig struct {
	ChatModel       string // "": none
	ChatBaseURL     string
	ChatAPIKey      string
	ChatTimeout     time.Duration
	ChatFirstToken  time.Duration
	ChatTokenGap    time.Duration
	ChatConcurrency int
}

func chatSettings() []setting {
	return []setting{
		{
			env: "WEIR_CHAT_MODEL", key: "chat_model", flag: "chat-model", value: "NAME",
			defDoc: "none: passages are answered as they are",
			help:   "chat model that writes answers from passages, at any server that speaks the OpenAI API",
			set:    setText(func(c *config) *string { return &c.ChatModel }),
		},
		{
			env: "WEIR_CHAT_BASE_URL", key: "chat_base_url", flag: "chat-base-url", value: "URL",
			defDoc: "OPENAI_BASE_URL",
			help:   "of the API that has the chat model, with its version",
			set:    setBaseURL(func(c *config) *string { return &c.ChatBaseURL }, "WEIR_CHAT_API_KEY"),
		},
		{
			env: "WEIR_CHAT_API_KEY", key: "chat_api_key", secret: true,
			defDoc: "OPENAI_API_KEY where the address is the same, else none",
			help:   "key of that API; has no flag, because a command line is seen by others",
			set:    setText(func(c *config) *string { return &c.ChatAPIKey }),
		},
		{
			env: "WEIR_CHAT_TIMEOUT", key: "chat_timeout", flag: "chat-timeout", value: "TIME", def: "60s",
			help: "longest that one answer in words may take, the search included",
			set:  setTime(func(c *config) *time.Duration { return &c.ChatTimeout }, 10*time.Millisecond, time.Hour),
		},
		{
			env: "WEIR_CHAT_FIRST_TOKEN", key: "chat_first_token", flag: "chat-first-token", value: "TIME", def: "20s",
			help: "longest wait for an answer's first word; no longer than the whole",
			set:  setTime(func(c *config) *time.Duration { return &c.ChatFirstToken }, 10*time.Millisecond, time.Hour),
		},
		{
			env: "WEIR_CHAT_TOKEN_GAP", key: "chat_token_gap", flag: "chat-token-gap", value: "TIME", def: "10s",
			help: "longest wait between two words of an answer; no longer than the whole",
			set:  setTime(func(c *config) *time.Duration { return &c.ChatTokenGap }, 10*time.Millisecond, time.Hour),
		},
		{
			env: "WEIR_CHAT_CONCURRENCY", key: "chat_concurrency", flag: "chat-concurrency", value: "N", def: "16",
			help: "answers written side by side",
			set:  setInt(func(c *config) *int { return &c.ChatConcurrency }, 1, 1024),
		},
	}
}

// settleChat fills in what the settings of the chat model take from others,
// and refuses what does not fit together.
func (c *config) settleChat() error {
	if c.ChatBaseURL == "" {
		c.ChatBaseURL = c.OpenAIBaseURL
		*c.origin("WEIR_CHAT_BASE_URL") = origin{c.ChatBaseURL, "default (OPENAI_BASE_URL)"}
	}
	// A key goes to the address that it was given for and to no other.
	if c.ChatAPIKey == "" && c.OpenAIAPIKey != "" && c.ChatBaseURL == c.OpenAIBaseURL {
		c.ChatAPIKey = c.OpenAIAPIKey
		*c.origin("WEIR_CHAT_API_KEY") = origin{c.ChatAPIKey, "default (OPENAI_API_KEY)"}
	}
	// What was not set gives way to a shorter whole.
	for _, part := range []struct {
		env string
		of  *time.Duration
	}{{"WEIR_CHAT_FIRST_TOKEN", &c.ChatFirstToken}, {"WEIR_CHAT_TOKEN_GAP", &c.ChatTokenGap}} {
		switch {
		case *part.of <= c.ChatTimeout:
		case c.given(part.env):
			return usagef("%s %s is longer than %s %s; make it shorter", c.as(part.env), short(*part.of), c.as("WEIR_CHAT_TIMEOUT"), short(c.ChatTimeout))
		default:
			*part.of = c.ChatTimeout
			*c.origin(part.env) = origin{short(c.ChatTimeout), "default (WEIR_CHAT_TIMEOUT)"}
		}
	}
	for _, env := range []string{"WEIR_CHAT_BASE_URL", "WEIR_CHAT_API_KEY"} {
		if c.given(env) && c.ChatModel == "" {
			return usagef("%s is set, but no chat model is; name one in WEIR_CHAT_MODEL", c.as(env))
		}
	}
	if c.ChatModel != "" && c.ChatBaseURL == openAI && c.ChatAPIKey == "" {
		return usagef("%s is set, but no key of %s is; set WEIR_CHAT_API_KEY or OPENAI_API_KEY, or WEIR_CHAT_BASE_URL for a server that needs none", c.as("WEIR_CHAT_MODEL"), openAI)
	}
	return nil
}

// openAI is the address that goes without saying.
const openAI = "https://api.openai.com/v1"
