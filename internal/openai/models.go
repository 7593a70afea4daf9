package openai

// ModelList is the answer of GET /v1/models.
type ModelList struct {
	Object string  `json:"object"` // list
	Data   []Model `json:"data"`
}

// Model is one model, and the answer of GET /v1/models/{id}.
type Model struct {
	ID         string `json:"id"`
	Object     string `json:"object"`  // model
	Created    int64  `json:"created"` // Unix time in seconds
	OwnedBy    string `json:"owned_by"`
	Dimensions int    `json:"dimensions,omitempty"` // of its vectors; not of OpenAI's shape
}
