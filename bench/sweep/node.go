// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/collect"
	"go.yaml.in/yaml/v3"
)

// reader reads nodes of YAML, so that each error has a line: a [*collect.Error].
type reader struct{ path string }

func (r reader) wrong(n *yaml.Node, format string, args ...any) error {
	return &collect.Error{Path: r.path, Line: n.Line, Err: fmt.Errorf(format, args...)}
}

// unknown is the error for a word, of something or "", that is none of those
// known.
func (r reader) unknown(n *yaml.Node, what, of string, known []string) error {
	err := fmt.Errorf("unknown %s %q", what, n.Value)
	if of != "" {
		err = fmt.Errorf("%w of %s", err, of)
	}
	return &collect.Error{Path: r.path, Line: n.Line, Err: err, Given: n.Value, Known: known}
}

// parse returns the mapping that is the file.
func (r reader) parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, r.wrong(&yaml.Node{Line: 1}, "the file is empty")
	case err != nil:
		return nil, r.broken(err, data)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, r.wrong(&more, "a second document: one is enough")
	case !errors.Is(err, io.EOF):
		return nil, r.broken(err, data)
	}
	return doc.Content[0], nil
}

// broken gives an error of the parser its place.
func (r reader) broken(err error, data []byte) error {
	line, text := bench.BrokenYAML(err, data)
	return r.wrong(&yaml.Node{Line: line}, "%s", text)
}

// pair is a key and its value.
type pair struct{ key, value *yaml.Node }

// pairs are the entries of a mapping, in their order.
func (r reader) pairs(n *yaml.Node, what string) ([]pair, error) {
	if n.Kind != yaml.MappingNode {
		return nil, r.wrong(n, "%s: not a mapping of names to values", what)
	}
	var all []pair
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || key.Tag == "!!null" {
			return nil, r.wrong(key, "%s: a key is not a name", what)
		}
		if line := seen[key.Value]; line > 0 {
			return nil, r.wrong(key, "%s: %s is there already, in line %d", what, key.Value, line)
		}
		seen[key.Value] = key.Line
		all = append(all, pair{key, follow(n.Content[i+1])})
	}
	return all, nil
}

// mapping hands each value to what takes its key.
func (r reader) mapping(n *yaml.Node, what string, take map[string]func(*yaml.Node) error) error {
	pairs, err := r.pairs(n, what)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		f := take[p.key.Value]
		if f == nil {
			return r.unknown(p.key, "key", what, slices.Sorted(maps.Keys(take)))
		}
		if err := f(p.value); err != nil {
			return err
		}
	}
	return nil
}

// text is a scalar as it is written, "" for null.
func (r reader) text(n *yaml.Node, what string) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", r.wrong(n, "%s: not a single value", what)
	case n.Tag == "!!null":
		return "", nil
	}
	return n.Value, nil
}

// count is a whole number from least.
func (r reader) count(n *yaml.Node, what string, least int) (int, error) {
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || v < least {
		return 0, r.wrong(n, "%s: not a whole number from %d", what, least)
	}
	return v, nil
}

// value is one of an axis.
type value struct {
	text string
	at   *yaml.Node
}

// axis is a name and the values that it takes.
type axis struct {
	name   string
	at     *yaml.Node // of the name
	values []value
}

// axes reads a mapping of names to a value each, or a list of them.
func (r reader) axes(n *yaml.Node, what string) ([]axis, error) {
	pairs, err := r.pairs(n, what)
	if err != nil {
		return nil, err
	}
	var all []axis
	for _, p := range pairs {
		a := axis{name: p.key.Value, at: p.key}
		items := []*yaml.Node{p.value}
		if p.value.Kind == yaml.SequenceNode {
			items = p.value.Content
		}
		for _, item := range items {
			text, err := r.text(follow(item), a.name)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(a.values, func(v value) bool { return v.text == text }) {
				return nil, r.wrong(item, "%s: the value %q is there twice", a.name, text)
			}
			a.values = append(a.values, value{text, follow(item)})
		}
		if len(items) == 0 {
			return nil, r.wrong(p.value, "%s: an empty list of values: no cell would have one", a.name)
		}
		all = append(all, a)
	}
	return all, nil
}

// follow is the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
