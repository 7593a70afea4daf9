package postgres

import (
	"cmp"
	"slices"
)

// member is a document that a user can find.
type member struct {
	key    int64 // its place among the user's documents, oldest first; names it in the index
	id     string
	body   int64 // own layout
	chunks int
	model  int32 // own layout; 0: no vectors
	stamp  int64 // adopted layout: changes with its passages
}

// view is what a user can find at one generation. It never changes.
type view struct {
	generation int64
	members    []member // by key
	byID       map[string]int32
	byBody     map[int64]int32
	chunks     int
}

func newView(generation int64, members []member) *view {
	v := &view{generation: generation, members: members, byID: make(map[string]int32, len(members)), byBody: make(map[int64]int32, len(members))}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.key, b.key) })
	for i := range members {
		v.byID[members[i].id] = int32(i)
		v.byBody[members[i].body] = int32(i)
		v.chunks += members[i].chunks
	}
	return v
}

// find returns the member with a key, or nil.
func (v *view) find(key int64) *member {
	i, ok := slices.BinarySearchFunc(v.members, key, func(m member, key int64) int { return cmp.Compare(m.key, key) })
	if !ok {
		return nil
	}
	return &v.members[i]
}

// holding returns the member that has a body, or nil.
func (v *view) holding(body int64) *member {
	if i, ok := v.byBody[body]; ok {
		return &v.members[i]
	}
	return nil
}

// only returns the members with these ids, each once.
func (v *view) only(ids []string) []*member {
	out := make([]*member, 0, len(ids))
	taken := make(map[int32]bool, len(ids))
	for _, id := range ids {
		if i, ok := v.byID[id]; ok && !taken[i] {
			taken[i] = true
			out = append(out, &v.members[i])
		}
	}
	slices.SortFunc(out, func(a, b *member) int { return cmp.Compare(a.key, b.key) })
	return out
}

// bytes is about what a view takes in memory.
func (v *view) bytes() int64 { return int64(len(v.members)) * 220 }
