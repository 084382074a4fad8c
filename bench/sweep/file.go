// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kermit-trace/kermit/bench/workload"
	"go.yaml.in/yaml/v3"
)

// Sweep is a file that was read, its matrix expanded.
type Sweep struct {
	Name   string
	Path   string // of the file, absolute
	SHA256 string // of the file

	cells  []Cell // in the order of the matrix
	random bool
	seed   *uint64 // nil: the file gives none
	digest string  // of all that makes the cells what they are
}

// file is a file that is read.
type file struct {
	reader
	benchmarkDir string

	name, prefix string
	workloads    []*subject
	set, knobs   []axis
	hooks, again axis // again: the repetitions
	given        bool
	rules        []rule
	seed         *uint64
	warmup       int
	timeout      time.Duration
	cpus         string
}

// subject is a workload of the sweep.
type subject struct {
	*workload.Workload
	at   *yaml.Node
	path string // what loads it
	own  []axis // parameters of its own
}

// Read reads a sweep, and checks all that can be known before anything starts.
// The error is a [*collect.Error] where it is about a place in the file; for
// programs that are missing a [*workload.NeedError] or a [*collect.MissingError].
func Read(ctx context.Context, path, benchmarkDir string) (*Sweep, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read sweep: %w", err)
	}
	f := &file{reader: reader{path}, benchmarkDir: benchmarkDir}
	if err := f.read(data); err != nil {
		return nil, err
	}
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	s := &Sweep{Name: f.name, SHA256: hex.EncodeToString(sum[:]), random: !f.given, seed: f.seed}
	if s.Path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("find sweep: %w", err)
	}
	if s.cells, err = f.expand(); err != nil {
		return nil, err
	}
	s.digest, err = f.digest(s.cells)
	return s, err
}

// NameOf is the name of the sweep in a file, of which it reads nothing else.
func NameOf(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read sweep: %w", err)
	}
	r := reader{path}
	root, err := r.parse(data)
	if err != nil {
		return "", err
	}
	pairs, err := r.pairs(root, "the file")
	if err != nil {
		return "", err
	}
	for _, p := range pairs {
		if p.key.Value == "name" && p.value.Kind == yaml.ScalarNode {
			return p.value.Value, nil
		}
	}
	return defaultName(path), nil
}

func defaultName(path string) string {
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
}

// read takes in what the file says.
func (f *file) read(data []byte) error {
	root, err := f.parse(data)
	if err != nil {
		return err
	}
	f.name = defaultName(f.path)
	f.again = axis{name: "repeat", values: []value{{text: "1"}}}
	word := func(what string, to *string) func(*yaml.Node) error {
		return func(n *yaml.Node) (err error) {
			*to, err = f.text(n, what)
			return err
		}
	}
	axes := func(what string, to *[]axis) func(*yaml.Node) error {
		return func(n *yaml.Node) (err error) {
			*to, err = f.axes(n, what)
			return err
		}
	}
	err = f.mapping(root, "the file", map[string]func(*yaml.Node) error{
		"name": word("name", &f.name), "prefix": word("prefix", &f.prefix), "cpus": word("cpus", &f.cpus),
		"workload": f.workload, "hooks": f.hookSets, "set": axes("set", &f.set), "knobs": axes("knobs", &f.knobs),
		"exclude": f.exclude, "order": f.order, "repeat": f.repeat,
		"seed": func(n *yaml.Node) error {
			seed, err := f.count(n, "seed", 0)
			f.seed = new(uint64(seed))
			return err
		},
		"warmup": func(n *yaml.Node) (err error) {
			f.warmup, err = f.count(n, "warmup", 0)
			return err
		},
		"timeout": f.timeoutOf,
	})
	switch {
	case err != nil:
		return err
	case len(f.workloads) == 0:
		return f.wrong(root, "workload is missing: what runs")
	case f.hooks.name == "":
		return f.wrong(root, "hooks is missing: what is recorded; [] makes baselines")
	}
	return f.named(root)
}

// named checks what becomes part of a folder's name.
func (f *file) named(root *yaml.Node) error {
	const most = 60 // the id's other parts, a UUID among them, are less than 64
	if !plainName(f.name) || len(f.name) > most {
		return f.wrong(root, "name %q: letters, digits and any of _ . + - after the first, at most %d", f.name, most)
	}
	if f.prefix != "" && (!plainName(f.prefix) || len(f.prefix) > most/2) {
		return f.wrong(root, "prefix %q: letters, digits and any of _ . + - after the first, at most %d", f.prefix, most/2)
	}
	return nil
}

func (f *file) order(n *yaml.Node) error {
	word, err := f.text(n, "order")
	if err == nil && word != "random" && word != "given" {
		err = f.unknown(n, "order", "", []string{"random", "given"})
	}
	f.given = word == "given"
	return err
}

func (f *file) repeat(n *yaml.Node) error {
	times, err := f.count(n, "repeat", 1)
	if err == nil && times > mostCells {
		err = f.wrong(n, "repeat: more than %d", mostCells)
	}
	f.again.values = nil
	for i := range times {
		f.again.values = append(f.again.values, value{text: strconv.Itoa(i + 1)})
	}
	return err
}

func (f *file) timeoutOf(n *yaml.Node) error {
	text, err := f.text(n, "timeout")
	if err != nil {
		return err
	}
	if f.timeout, err = time.ParseDuration(text); err != nil || f.timeout <= 0 {
		return f.wrong(n, "timeout: %q is not a duration such as 10m", text)
	}
	return nil
}
