// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Hooks are the hooks that ktrace has.
type Hooks struct {
	Rooms  []string // in ktrace's order
	Tables []string // that have another name than their room
}

// listWithin is how long ktrace may take to list its hooks.
const listWithin = 30 * time.Second

// AskKtrace asks ktrace for its hooks.
func AskKtrace(ctx context.Context) (Hooks, error) {
	path, err := Find("ktrace")
	if err != nil {
		return Hooks{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, listWithin)
	defer cancel()
	list := exec.CommandContext(ctx, path, "list")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return Hooks{}, fmt.Errorf("ask ktrace for its hooks: %w", err)
	}
	h := parseHooks(string(out))
	if len(h.Rooms) == 0 {
		return h, errors.New("ask ktrace for its hooks: it lists none")
	}
	return h, nil
}

// parseHooks reads ktrace's list: a hook begins its line, a table's line is set
// in by two blanks.
func parseHooks(list string) (h Hooks) {
	for line := range strings.Lines(list) {
		name, isTable := strings.CutPrefix(line, "  table ")
		switch words := strings.Fields(name); {
		case len(words) == 0:
		case isTable:
			h.Tables = append(h.Tables, words[0])
		case line[0] != ' ':
			h.Rooms = append(h.Rooms, words[0])
		}
	}
	return h
}

// Names that KernMLOps' files may have and this suite, so far, has not.
var (
	// Its hooks, here and in its forks. What ktrace has by now is recorded.
	kernmlopsHooks = []string{
		"file_data", "memory_usage", "process_metadata", "quanta_runtime", "block_io", "perf", "collapse_huge_pages", "cbmm",
		"madvise", "unmap_range", "mm_rss_stat", "process_trace", "zswap_runtime", "page_fault", "tcp_v4_rcv",
		"tcp_state_process", "tcp_v4_connect", "tcp_congestion_control", "tcp_cubic",
	}
	// Names in its files that nobody ever made a hook for.
	neverHooks = []string{"softirq", "tcp_events", "scheduler"}
	// Its benchmarks for which there is no workload.
	absentBenchmarks = []string{"mongodb", "linnos", "webserving"}
)

// hookList reads the list of hooks; what it names is recorded as far as it is
// to be had.
func (f *file) hookList(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return f.not(n, "a list of hooks")
	}
	f.record, f.all = nil, false
	var absent, never []string
	known := slices.Concat(f.hooks.Rooms, f.hooks.Tables)
	for _, item := range n.Content {
		item = follow(item)
		name, err := f.text(item)
		switch {
		case err != nil:
			return err
		case slices.Contains(known, name):
			if !slices.Contains(f.record, name) {
				f.record = append(f.record, name)
			}
		case slices.Contains(kernmlopsHooks, name):
			absent = append(absent, name)
		case slices.Contains(neverHooks, name):
			never = append(never, name)
		default:
			return &Error{Path: f.path, Line: item.Line, Err: fmt.Errorf("unknown hook %q", name), Given: name, Known: known}
		}
	}
	if f.record == nil && len(n.Content) > 0 {
		return f.wrong(n, errors.New("ktrace has none of these hooks; an empty list makes a baseline"))
	}
	if absent != nil {
		f.warn(n, "not recorded here: %s (ktrace has no such hook yet)", strings.Join(absent, ", "))
	}
	if never != nil {
		f.warn(n, "not recorded: %s (nobody ever made such a hook)", strings.Join(never, ", "))
	}
	return nil
}
