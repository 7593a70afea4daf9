package embed

import "strings"

// native returns how many values the vectors of a well-known model have by
// themselves, as its maker states it; 0 for a model that is not known. A tag
// after a colon and a maker before a slash do not matter.
func native(model string) int {
	switch plainName(model) {
	case "text-embedding-3-small", "text-embedding-ada-002":
		return 1536
	case "text-embedding-3-large":
		return 3072
	case "all-minilm", "all-minilm-l6-v2", "all-minilm-l12-v2", "bge-small-en-v1.5", "multilingual-e5-small":
		return 384
	case "nomic-embed-text", "nomic-embed-text-v1", "nomic-embed-text-v1.5", "bge-base-en-v1.5", "multilingual-e5-base":
		return 768
	case "mxbai-embed-large", "mxbai-embed-large-v1", "bge-m3", "bge-large-en-v1.5", "multilingual-e5-large",
		"snowflake-arctic-embed-l-v2.0":
		return 1024
	default:
		return 0
	}
}

// plainName is a model's name without what does not matter.
func plainName(model string) string {
	name := strings.ToLower(model)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	name, _, _ = strings.Cut(name, ":")
	return strings.TrimSuffix(name, "-latest")
}

// shortens reports whether the vectors of a model are made to be cut: OpenAI
// says so of its third generation, which is what its parameter dimensions
// does (https://platform.openai.com/docs/guides/embeddings).
func shortens(model string) bool {
	switch plainName(model) {
	case "text-embedding-3-small", "text-embedding-3-large":
		return true
	default:
		return false
	}
}

// takesDimensions reports whether to ask for a number of values: not for the
// model's own, and never of one that is known to refuse the question.
func takesDimensions(model string, dim int) bool {
	return dim != native(model) && !strings.HasSuffix(model, "text-embedding-ada-002")
}
