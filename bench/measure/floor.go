// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/kermit-trace/kermit/trace"
)

// floor runs the program while empty programs are attached where ktrace
// attaches its own: nothing that is recorded or filtered can cost less.
func (o options) floor() (*sample, error) {
	rooms, err := trace.Rooms(os.DirFS(o.bin))
	if err != nil {
		return nil, fmt.Errorf("read empty programs: %w", err)
	}
	session, err := trace.Open(trace.Options{Rooms: rooms, RingSize: os.Getpagesize(), Log: func(string, ...any) {}})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	p, err := o.program()
	return &sample{program: p}, err
}
