package httpapi

import (
	"net/http"
	"strconv"

	"weir/internal/rag"
)

// setQuota says what is left of what a user may ask, in the two fields of
// https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/: q
// calls in w seconds; r of them are left, and t seconds bring back all.
func setQuota(h http.Header, q rag.Quota) {
	h.Set("RateLimit-Policy", `"user";q=`+strconv.Itoa(q.PerMinute)+`;w=60`)
	h.Set("RateLimit", `"user";r=`+strconv.Itoa(q.Left)+`;t=`+strconv.FormatInt(wholeSeconds(q.Full), 10))
}
