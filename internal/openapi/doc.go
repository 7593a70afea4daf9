// Package openapi writes descriptions of HTTP services (OpenAPI 3.1,
// https://spec.openapis.org/oas/v3.1.1.html), and holds answers against them.
//
// # Goals
//
//   - Nothing in a description is written twice: schemas come from the types
//     that are encoded, and what is said of a field that is not there, or not
//     said of one that is, is an error when the description is made.
//   - What was described is checked with the same description that clients
//     get, not with the types it was made from.
//
// # Design
//
// A Book makes schemas by reflection and gives each type a name, so that the
// document has it once. The rest are plain structs in the order in which the
// document is read best. Check works on the document as JSON.
package openapi
