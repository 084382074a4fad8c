// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/collect"
	"go.yaml.in/yaml/v3"
)

// mostCells bounds a matrix: more is a slip.
const mostCells = 100_000

// Keys of coordinates, beside workload, hooks and repeat.
const (
	setKey   = "set."
	knobsKey = "knobs."
)

// Coordinate is a cell's value on one axis.
type Coordinate struct{ Key, Value string }

var plainValue = regexp.MustCompile(`^[^\s"']+$`)

func (c Coordinate) String() string {
	switch {
	case c.Key == "hooks" && c.Value == "":
		return "hooks=none"
	case !plainValue.MatchString(c.Value):
		return c.Key + "=" + strconv.Quote(c.Value)
	}
	return c.Key + "=" + c.Value
}

// Coordinates say where in the matrix a cell lies.
type Coordinates []Coordinate

func (c Coordinates) String() string {
	words := make([]string, len(c))
	for i := range c {
		words[i] = c[i].String()
	}
	return strings.Join(words, " ")
}

func (c Coordinates) find(key string) (string, bool) {
	i := slices.IndexFunc(c, func(a Coordinate) bool { return a.Key == key })
	if i < 0 {
		return "", false
	}
	return c[i].Value, true
}

// without leaves a key out.
func (c Coordinates) without(key string) Coordinates {
	return slices.DeleteFunc(slices.Clone(c), func(a Coordinate) bool { return a.Key == key })
}

// flow is the coordinates as a mapping that is YAML and JSON.
func (c Coordinates) flow() *yaml.Node {
	text := func(s string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	inner := map[string]*yaml.Node{}
	for _, a := range c {
		to := root
		if group, name, ok := strings.Cut(a.Key, "."); ok {
			if inner[group] == nil {
				inner[group] = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
				root.Content = append(root.Content, text(group), inner[group])
			}
			to, a.Key = inner[group], name
		}
		to.Content = append(to.Content, text(a.Key), text(a.Value))
	}
	return root
}

// Cell is one collection to be made.
type Cell struct {
	Number      int // from 1, in the order in which they run
	Coordinates Coordinates
	Label       Coordinates // the coordinates in which cells of the sweep differ

	subject *subject
	plan    collect.Plan
}

// expand makes the cells, in the order of the file.
func (f *file) expand() ([]Cell, error) {
	var cells []Cell
	for _, s := range f.workloads {
		axes := []axis{{name: "workload", values: []value{{text: s.Name}}}}
		for _, a := range slices.Concat(f.set, s.own) {
			axes = append(axes, axis{setKey + a.name, a.at, a.values})
		}
		for _, a := range f.knobs {
			axes = append(axes, axis{knobsKey + a.name, a.at, a.values})
		}
		axes = append(axes, f.hooks, f.again)
		size := 1
		for _, a := range axes {
			if size *= len(a.values); size+len(cells) > mostCells {
				return nil, f.tooMany(size + len(cells))
			}
		}
		for i := range size {
			cells = append(cells, Cell{Coordinates: at(axes, i), subject: s})
		}
	}
	cells, err := f.thin(cells)
	if err != nil {
		return nil, err
	}
	label(cells)
	return cells, f.plans(cells)
}

// at is the i-th combination; the last axis changes fastest.
func at(axes []axis, i int) Coordinates {
	c := make(Coordinates, len(axes))
	for k, a := range slices.Backward(axes) {
		c[k] = Coordinate{a.name, a.values[i%len(a.values)].text}
		i /= len(a.values)
	}
	return c
}

// thin leaves out what the rules exclude.
func (f *file) thin(all []Cell) ([]Cell, error) {
	used := make([]bool, len(f.rules))
	cells := slices.DeleteFunc(slices.Clone(all), func(c Cell) bool {
		out := false
		for i, r := range f.rules {
			if r.holds(c.Coordinates) {
				used[i], out = true, true
			}
		}
		return out
	})
	if i := slices.Index(used, false); i >= 0 {
		return nil, f.useless(f.rules[i], all)
	}
	if len(cells) == 0 {
		return nil, f.wrong(f.rules[0].at, "exclude: no cell is left")
	}
	return cells, nil
}

// label finds the coordinates in which cells differ.
func label(cells []Cell) {
	seen := map[string]map[string]bool{}
	has := map[string]int{}
	for _, c := range cells {
		for _, a := range c.Coordinates {
			if seen[a.Key] == nil {
				seen[a.Key] = map[string]bool{}
			}
			seen[a.Key][a.Value] = true
			has[a.Key]++
		}
	}
	for i := range cells {
		for _, a := range cells[i].Coordinates {
			if a.Key == "workload" || len(seen[a.Key]) > 1 || has[a.Key] < len(cells) {
				cells[i].Label = append(cells[i].Label, a)
			}
		}
	}
}

// plans makes a plan of each cell, and rehearses those that differ in more than
// their hooks and repetition.
func (f *file) plans(cells []Cell) error {
	rehearsed := map[string]bool{}
	for i := range cells {
		c := &cells[i]
		c.plan = collect.Plan{
			Workload: c.subject.path, Set: map[string]string{}, Warmup: f.warmup, Timeout: f.timeout, CPUs: f.cpus,
			BenchmarkDir: f.benchmarkDir, Prefix: f.prefix,
		}
		for _, a := range c.Coordinates {
			if name, ok := strings.CutPrefix(a.Key, setKey); ok {
				c.plan.Set[name] = a.Value
			}
		}
		if hooks, _ := c.Coordinates.find("hooks"); hooks != "" {
			c.plan.Hooks = strings.Split(hooks, ",")
		}
		var err error
		if c.plan.Knobs, err = settings(c.Coordinates); err != nil {
			return f.knobError(f.knobs[0].at, err)
		}
		key := c.Coordinates.without("hooks").without("repeat").String()
		if rehearsed[key] {
			continue
		}
		rehearsed[key] = true
		if err := f.rehearse(c.subject, c.plan); err != nil {
			return err
		}
	}
	return nil
}

// digest is the same as long as the same cells would be made of the file.
func (f *file) digest(cells []Cell) (string, error) {
	h := sha256.New()
	add := func(what ...any) { _, _ = fmt.Fprintf(h, "%q\n", what) } // a hash takes everything
	for _, s := range f.workloads {
		data, err := os.ReadFile(s.path)
		if s.path == s.Name {
			data, err = bench.Workloads.ReadFile("workloads/" + s.Name + ".yaml")
		}
		if err != nil {
			return "", fmt.Errorf("read workload: %w", err)
		}
		add(s.Name, string(data))
	}
	add(f.given, f.warmup, f.timeout, f.cpus, f.prefix)
	if f.seed != nil {
		add(*f.seed)
	}
	for _, c := range cells {
		add(c.Coordinates)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Cells are the cells in the order in which they run.
func (s *Sweep) Cells(seed uint64) []Cell {
	cells := s.given()
	if s.random {
		rank := map[string]string{}
		for _, c := range cells {
			key := c.Coordinates.String()
			sum := sha256.Sum256([]byte(strconv.FormatUint(seed, 10) + " " + key))
			rank[key] = string(sum[:])
		}
		slices.SortFunc(cells, func(a, b Cell) int {
			return cmp.Compare(rank[a.Coordinates.String()], rank[b.Coordinates.String()])
		})
	}
	number(cells)
	return cells
}

// given are the cells in the order of the matrix.
func (s *Sweep) given() []Cell {
	cells := slices.Clone(s.cells)
	number(cells)
	return cells
}

func number(cells []Cell) {
	for i := range cells {
		cells[i].Number = i + 1
	}
}

// plainName is what may be part of a folder's name.
func plainName(s string) bool { return bench.CheckName(s) == nil }
