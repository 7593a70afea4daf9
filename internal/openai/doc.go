// Package openai holds the wire types of the OpenAI embeddings shape: the
// request, the response in its float and base64 forms, and the error, each
// with a decoder that is strict about what it uses and bounded in what it
// keeps, and the list of models. It does no input or output of its own. Package
// embed speaks the shape outwards, to a provider; the HTTP door speaks it
// inwards, to callers.
//
// # Goals
//
//   - What many providers answer is read: vectors as numbers or as base64
//     whatever was asked for, and the half a dozen forms their errors take.
//   - Memory follows what was asked for, not what was sent: a response of more
//     items, or of longer vectors, than the caller's limits is refused while it
//     is read.
//   - One bad vector does not cost its neighbours: a vector that cannot be
//     read is noted on its item, and the others are delivered.
//
// # Design
//
// encoding/json can do none of the three for a response (it grows slices as
// far as the input goes, stops at the first bad value, and looks at each byte
// four to six times), so the response has a small walker of its own, scan.go.
// Requests go through it too, as their input has four forms that one pass
// tells apart. Errors, which are small, go through encoding/json.
package openai
