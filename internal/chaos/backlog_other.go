//go:build !linux

package chaos

import "context"

// plugs: other systems answer when the accept queue is full, or are not known
// not to.
const plugs = false

func (e *entrance) plug(context.Context) error { return ErrSystem }

func (e *entrance) unplug() error { return nil }
