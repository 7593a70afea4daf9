//go:build !race

package chat_test

// racing: everything takes ten times as long.
const racing = false
