// Package chat asks a chat model for answers and never lets a caller wait for
// it past its own deadline.
package chat
