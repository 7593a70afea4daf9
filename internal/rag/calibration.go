package rag

// Calibration is what the scale of a model's similarities asks for. Each model
// has a scale of its own: what one calls alike is far apart for another.
type Calibration struct {
	Threshold    float64 // the least cosine of a passage, for requests that do not say; in (0,1]
	VectorWeight float64 // the share of the vector half in a hybrid score; in (0,1]
}

// DefaultCalibration is that of text-embedding-3-small.
func DefaultCalibration() Calibration { return Calibration{Threshold: 0.25, VectorWeight: 0.5} }
