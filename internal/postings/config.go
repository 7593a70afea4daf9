package postings

// Config holds the parameters of the ranking. The zero value is what Weir
// uses; the fields exist for measurements.
type Config struct {
	// K1 is how slowly repetitions of a word stop counting, at most 3. Defaults to 1.8.
	K1 float64
	// B is how far long passages are held against them, in [0,1]. Defaults to 0.6.
	B float64
	// HeadWeight is how many occurrences in the body one in the head is worth,
	// in halves, at most 16. Defaults to 2: a passage usually begins with its
	// heading, so that a word of it counts three times in all.
	HeadWeight float64
}

func (c Config) withDefaults() Config {
	if c.K1 <= 0 || c.K1 > 3 {
		c.K1 = 1.8
	}
	if c.B <= 0 || c.B > 1 {
		c.B = 0.6
	}
	if c.HeadWeight <= 0 || c.HeadWeight > 16 {
		c.HeadWeight = 2
	}
	return c
}

// headHalves is the head weight in the unit of stored frequencies: one
// occurrence in the body is two.
func (c Config) headHalves() uint64 { return uint64(2*c.HeadWeight + 0.5) }
