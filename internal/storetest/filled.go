package storetest

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"weir/internal/rag"
)

// filled is a store that only reads, and a queue in memory in front of what
// fills it, so that it can be tested like one that writes.
type filled struct {
	rag.Store
	filler Filler

	mu   sync.Mutex
	jobs map[string]*filling
	next []string
}

type filling struct {
	job     rag.Job
	new     rag.NewDocument
	chunks  []rag.Chunk
	vectors map[rag.Model]map[int][]float32
}

func (s *filled) Add(_ context.Context, user rag.User, n rag.NewDocument) (rag.Document, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return rag.Document{}, false, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := rag.Document{ID: id.String(), Filename: n.Filename, Status: rag.Queued, Bytes: int64(len(n.Content)), SHA256: n.SHA256, CreatedAt: now, UpdatedAt: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[d.ID] = &filling{job: rag.Job{User: user, Document: d, Lease: d.ID, Attempt: 1}, new: n, vectors: map[rag.Model]map[int][]float32{}}
	s.next = append(s.next, d.ID)
	return d, true, nil
}

func (s *filled) Lease(context.Context, time.Duration) (*rag.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next) == 0 {
		return nil, nil //nolint:nilnil // as rag.Queue says
	}
	job := s.jobs[s.next[0]].job
	s.next = s.next[1:]
	return &job, nil
}

func (s *filled) of(job rag.Job) *filling {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[job.Document.ID]
}

func (s *filled) Content(_ context.Context, job rag.Job) ([]byte, error) {
	return s.of(job).new.Content, nil
}

func (s *filled) Stage(_ context.Context, job rag.Job, x rag.Extracted) error {
	s.of(job).chunks = x.Chunks
	return nil
}

func (s *filled) Unembedded(_ context.Context, job rag.Job, m rag.Model, limit int) (chunks []rag.Chunk, left int, err error) {
	f := s.of(job)
	for _, ch := range f.chunks {
		if _, has := f.vectors[m][ch.Index]; has {
			continue
		}
		if left++; len(chunks) < limit {
			chunks = append(chunks, ch)
		}
	}
	return chunks, left, nil
}

func (s *filled) PutVectors(_ context.Context, job rag.Job, m rag.Model, indexes []int, vectors [][]float32) error {
	f := s.of(job)
	if f.vectors[m] == nil {
		f.vectors[m] = map[int][]float32{}
	}
	for i, index := range indexes {
		f.vectors[m][index] = vectors[i]
	}
	return nil
}

func (s *filled) Publish(ctx context.Context, job rag.Job, m rag.Model) error {
	f := s.of(job)
	var vectors [][]float32
	for _, ch := range f.chunks {
		if m == (rag.Model{}) {
			break
		}
		v, has := f.vectors[m][ch.Index]
		if !has {
			return rag.Errorf(rag.Conflict, "passage %d has no vector of %s", ch.Index, m.Name)
		}
		vectors = append(vectors, v)
	}
	if f.new.Replace {
		for page, cursor := 0, ""; page == 0 || cursor != ""; page++ {
			docs, next, err := s.Documents(ctx, job.User, rag.Page{Limit: 100, Cursor: cursor})
			if err != nil {
				return err
			}
			for _, d := range docs {
				if d.Filename == f.new.Filename {
					if err := s.filler.Remove(ctx, job.User, d.ID); err != nil {
						return err
					}
				}
			}
			cursor = next
		}
	}
	d := job.Document
	d.Model = m
	return s.filler.Fill(ctx, job.User, d, f.chunks, vectors)
}

func (s *filled) Delete(ctx context.Context, user rag.User, id string) error {
	return s.filler.Remove(ctx, user, id)
}
