package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness is how far a program gives way that works beside a server.
const niceness = 10

// giveWay lets the processor be others' first: all threads there are, from
// which those to come have it. It is a courtesy, so that it cannot be had is no
// error.
func giveWay() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, niceness) // a thread that has ended by now
		}
	}
}
