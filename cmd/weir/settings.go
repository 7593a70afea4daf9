package main

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"weir/internal/rag"
)

// config is every setting's value.
type config struct {
	Listen          string
	Data            string
	Store           string
	DatabaseURL     string
	DatabaseSchema  string
	DatabaseLayout  string
	Embedder        string
	OpenAIBaseURL   string
	OpenAIAPIKey    string
	EmbeddingModel  string
	Dimensions      int
	Timeout         time.Duration
	MaxFileBytes    int64
	IngestWorkers   int
	MaxInFlight     int
	MaxCallMemory   int64
	UserShare       float64
	MaxConcurrent   int
	MaxBatch        int
	IndexMemory     int64
	DocumentTimeout time.Duration
	ChunkTokens     int
	ChunkOverlap    int
	LogLevel        slog.Level
	LogFormat       string

	chatConfig
	identityConfig
	exposureConfig
	tracesConfig

	origins []origin // in the order of settings
}

// setting is one row of the table from which the flags, the variables, the
// keys of weir.yaml, the help, docs/CONFIG.md and "weir config" all come.
type setting struct {
	env    string // the variable
	key    string // in weir.yaml
	flag   string // empty for secrets: a command line is seen by others
	value  string // what it takes, in a word, for help
	def    string // the default; empty when it depends on other settings
	defDoc string // said of the default instead of def
	help   string
	secret bool
	set    setter
}

// settings is the table.
func settings() []setting {
	return slices.Concat(coreSettings(), chatSettings(), identitySettings(), exposureSettings(), tracesSettings())
}

func coreSettings() []setting { //nolint:revive // long because it is a table
	return []setting{
		{
			env: "WEIR_LISTEN", key: "listen", flag: "listen", value: "HOST:PORT", def: "127.0.0.1:8080",
			help: "address of the server; port 0 takes a free one; only a loopback one while WEIR_AUTH is off",
			set:  setAddress(func(c *config) *string { return &c.Listen }),
		},
		{
			env: "WEIR_DATA", key: "data", flag: "data", value: "FOLDER", def: "./weir-data",
			help: "folder for all that Weir keeps; made when it is not there",
			set:  setText(func(c *config) *string { return &c.Data }),
		},
		{
			env: "WEIR_STORE", key: "store", flag: "store", value: "NAME", def: "sqlite",
			help: "where documents are kept: sqlite, in the data folder, or postgres",
			set:  setOneOf(func(c *config) *string { return &c.Store }, "sqlite", "postgres"),
		},
		{
			env: "DATABASE_URL", key: "database_url", secret: true, defDoc: "none; docs/POSTGRES.md has the variables that are looked at besides",
			help: "address of Postgres, as libpq reads it; has no flag, because a command line is seen by others",
			set:  setText(func(c *config) *string { return &c.DatabaseURL }),
		},
		{
			env: "WEIR_DATABASE_LAYOUT", key: "database_layout", flag: "database-layout", value: "NAME", def: "own",
			help: "tables in Postgres: own, made by Weir, or adopted, another system's documents and document_chunks, which are only read",
			set:  setOneOf(func(c *config) *string { return &c.DatabaseLayout }, "own", "adopted"),
		},
		{
			env: "DATABASE_SCHEMA", key: "database_schema", flag: "database-schema", value: "NAME", defDoc: "weir, or upload_pipeline for adopted tables",
			help: "schema of these tables",
			set:  setText(func(c *config) *string { return &c.DatabaseSchema }),
		},
		{
			env: "WEIR_EMBEDDER", key: "embedder", flag: "embedder", value: "NAME",
			defDoc: "openai when OPENAI_API_KEY or OPENAI_BASE_URL is set, else builtin",
			help:   "what turns text into vectors: openai (any server that speaks its API), builtin (the small English model inside this program) or none (search by words alone)",
			set:    setOneOf(func(c *config) *string { return &c.Embedder }, "openai", "builtin", "none"),
		},
		{
			env: "OPENAI_BASE_URL", key: "openai_base_url", flag: "openai-base-url", value: "URL", def: openAI,
			help: "of the OpenAI-compatible API, with its version",
			set:  setBaseURL(func(c *config) *string { return &c.OpenAIBaseURL }, "OPENAI_API_KEY"),
		},
		{
			env: "OPENAI_API_KEY", key: "openai_api_key", secret: true, defDoc: "none",
			help: "key of that API; has no flag, because a command line is seen by others",
			set:  setText(func(c *config) *string { return &c.OpenAIAPIKey }),
		},
		{
			env: "WEIR_EMBEDDING_MODEL", key: "embedding_model", flag: "embedding-model", value: "NAME", def: "text-embedding-3-small",
			help: "embedding model",
			set:  setText(func(c *config) *string { return &c.EmbeddingModel }),
		},
		{
			env: "WEIR_EMBEDDING_DIMENSIONS", key: "embedding_dimensions", flag: "embedding-dimensions", value: "N", def: "1536",
			help: "length of its vectors",
			set:  setInt(func(c *config) *int { return &c.Dimensions }, 1, rag.MaxDimensions),
		},
		{
			env: "WEIR_TIMEOUT", key: "timeout", flag: "timeout", value: "TIME", def: "10s",
			help: "deadline of a call, and the longest a caller may ask for",
			set:  setTime(func(c *config) *time.Duration { return &c.Timeout }, 10*time.Millisecond, time.Hour),
		},
		{
			env: "WEIR_MAX_FILE_BYTES", key: "max_file_bytes", flag: "max-file-bytes", value: "SIZE", def: "64MiB",
			help: "largest document",
			set:  setSize(func(c *config) *int64 { return &c.MaxFileBytes }, 1<<10, 1<<30),
		},
		{
			env: "WEIR_INGEST_WORKERS", key: "ingest_workers", flag: "ingest-workers", value: "N", def: "2",
			help: "documents worked on side by side",
			set:  setInt(func(c *config) *int { return &c.IngestWorkers }, 1, 256),
		},
		{
			env: "WEIR_MAX_IN_FLIGHT", key: "max_in_flight", flag: "max-in-flight", value: "N", def: "1024",
			help: "questions worked on side by side",
			set:  setInt(func(c *config) *int { return &c.MaxInFlight }, 1, 65536),
		},
		{
			env: "WEIR_MAX_CALL_MEMORY", key: "max_call_memory", flag: "max-call-memory", value: "SIZE", def: "256MiB",
			help: "most memory that questions under way and waiting may need together",
			set:  setSize(func(c *config) *int64 { return &c.MaxCallMemory }, 16<<20, 1<<44),
		},
		{
			env: "WEIR_USER_SHARE", key: "user_share", flag: "user-share", value: "PART", def: "0.5",
			help: "part of the server's room (questions, memory, texts waiting for the provider) that one user may have",
			set:  setPart(func(c *config) *float64 { return &c.UserShare }, 0.01),
		},
		{
			env: "WEIR_EMBEDDING_CONCURRENCY", key: "embedding_concurrency", flag: "embedding-concurrency", value: "N", def: "8",
			help: "requests to the embedding provider side by side; fewer while it is in trouble",
			set:  setInt(func(c *config) *int { return &c.MaxConcurrent }, 1, 1024),
		},
		{
			env: "WEIR_EMBEDDING_BATCH", key: "embedding_batch", flag: "embedding-batch", value: "N", def: "64",
			help: "texts in one of these requests; fewer where the provider bears no more",
			set:  setInt(func(c *config) *int { return &c.MaxBatch }, 1, 2048),
		},
		{
			env: "WEIR_INDEX_MEMORY", key: "index_memory", flag: "index-memory", value: "SIZE", def: "1GiB",
			help: "most memory for the search indexes of users; the least recently used go first",
			set:  setSize(func(c *config) *int64 { return &c.IndexMemory }, 1<<20, 1<<44),
		},
		{
			env: "WEIR_DOCUMENT_TIMEOUT", key: "document_timeout", flag: "document-timeout", value: "TIME", def: "30m",
			help: "longest one document may be worked on in one go",
			set:  setTime(func(c *config) *time.Duration { return &c.DocumentTimeout }, time.Second, 24*time.Hour),
		},
		{
			env: "WEIR_CHUNK_TOKENS", key: "chunk_tokens", flag: "chunk-tokens", value: "N", def: "320",
			help: "most tokens of one passage, for documents indexed from now on",
			set:  setInt(func(c *config) *int { return &c.ChunkTokens }, 16, 8000),
		},
		{
			env: "WEIR_CHUNK_OVERLAP", key: "chunk_overlap", flag: "chunk-overlap", value: "N",
			defDoc: "an eighth of WEIR_CHUNK_TOKENS",
			help:   "tokens that one passage repeats of the one before; 0 repeats nothing",
			set:    setCount(func(c *config) *int { return &c.ChunkOverlap }, 4000),
		},
		{
			env: "WEIR_LOG_LEVEL", key: "log_level", flag: "log-level", value: "LEVEL", def: "info",
			help: "debug, info, warn or error",
			set:  setLevel,
		},
		{
			env: "WEIR_LOG_FORMAT", key: "log_format", flag: "log-format", value: "NAME", def: "text",
			help: "text or json",
			set:  setOneOf(func(c *config) *string { return &c.LogFormat }, "text", "json"),
		},
	}
}

// addSettingFlags makes a flag of every setting that may have one, and the
// flag that names the file.
func addSettingFlags(flags *pflag.FlagSet) {
	for _, s := range settings() {
		if s.flag != "" {
			flags.String(s.flag, "", fmt.Sprintf("%s `%s` (default %s)", s.help, s.value, s.defaultText()))
		}
	}
	flags.String(configFlag, "", "`FILE` to read settings from (default ./weir.yaml, when there is one)")
}

func (s setting) defaultText() string {
	if s.defDoc != "" {
		return s.defDoc
	}
	return s.def
}
