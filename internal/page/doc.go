// Package page is what a person sees at /: one HTML document with its style
// sheet, scripts and icon, inside the binary.
//
// # Goals
//
//   - It is of this server alone: nothing is asked of any other, and the policy
//     it comes with (CSP) has the browser hold it to that.
//   - What a document, a filename or an error says is shown as text. No script
//     of the page makes HTML of a string, and Trusted Types refuses the day one
//     tries.
//   - An outage is seen when it begins. The page is served from memory and takes
//     no place in any lane, so it comes also when everything is full, and it says
//     when it last heard from the server.
//
// # Design
//
// Plain ES modules, no build step: what is in assets/ is what runs. They lie
// under a path that has a hash of all of them, so they are kept by the browser
// for good and are never of two versions; only the document itself is asked for
// again, with its ETag. Each is compressed once, at the start.
//
// The page is one more caller of the API in docs/API.md and has no door of its
// own. Streams are read with fetch, not EventSource, which can send no key.
package page
