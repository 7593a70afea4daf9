//go:build !race

package embed_test

// racing: everything takes ten times as long.
const racing = false
