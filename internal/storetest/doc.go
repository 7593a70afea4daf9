// Package storetest is what every [rag.Store] must do, as tests written against
// the interface alone. A store's own tests call [Run], and [RunReopen] if it
// keeps anything beyond the process.
//
// Each test gets an empty store of its own. Time is the real one: leases that
// must have run out are taken for a nanosecond, and nothing is measured.
package storetest
