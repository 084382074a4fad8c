// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"time"
)

// Options of a [Writer].
type Options struct {
	Dir      string        // the dataset; made if it is not there
	Workload string        // "": what the stream says, else "faux"
	Prefix   string        // of the collection's id; "": none
	Rotate   time.Duration // how often parts are published; at least a second
	Memory   int64         // bytes the process may take; at least MinMemory
	Tool     string        // name and version of the program
}

// MinMemory is the least a [Writer] can work with, in bytes.
const MinMemory = 32 << 20

// defaultWorkload is the workload of a stream that names none.
const defaultWorkload = "faux"

// Tables of the stream that the dataset itself understands.
const (
	countersTable = "hook_stats" // counters of each probed table
	markerTable   = "marker"     // its attribute "workload" names the workload
	runTable      = "run"        // its column "config" is the configuration
)

// NewWriter returns a Writer that has touched nothing yet: the dataset is made
// when the stream's header comes.
func NewWriter(o Options) (*Writer, error) {
	for name, value := range map[string]string{"workload": o.Workload, "id prefix": o.Prefix} {
		if value == "" {
			continue
		}
		if err := CheckName(value); err != nil {
			return nil, fmt.Errorf("%s %q %w", name, value, err)
		}
	}
	if o.Memory < MinMemory {
		return nil, fmt.Errorf("%d bytes of memory: at least %d are needed", o.Memory, MinMemory)
	}
	if o.Rotate < time.Second {
		return nil, fmt.Errorf("rotation every %s: at least a second", o.Rotate)
	}
	return &Writer{
		options: o, workload: o.Workload, byName: map[string]*table{}, counters: map[string]*Counters{},
		stop: make(chan struct{}),
	}, nil
}
