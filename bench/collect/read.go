// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"go.yaml.in/yaml/v3"
)

// Error is what is wrong with a file.
type Error struct {
	Path  string // "" where it is about what the caller chose
	Line  int
	Key   string // whose value is wrong; "" where the key is
	Err   error
	Given string   // a word that is not one of Known; may be empty
	Known []string // words that could have been meant
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	if e.Key == "" || e.Given != "" {
		return fmt.Sprintf("%s:%d: %v", e.Path, e.Line, e.Err) // which names it
	}
	return fmt.Sprintf("%s:%d: %s: %v", e.Path, e.Line, e.Key, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// reader reads nodes of YAML so that each error has a line.
type reader struct {
	path     string
	warnings []string
}

func (r *reader) wrong(n *yaml.Node, err error) error {
	if n == nil {
		return &Error{Err: err}
	}
	return &Error{Path: r.path, Line: n.Line, Err: err}
}

func (r *reader) warn(n *yaml.Node, format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf("%s:%d: ", r.path, n.Line)+fmt.Sprintf(format, args...))
}

// parse reads the one document of a file; an empty one is null.
func (r *reader) parse(data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1}, nil
	}
	if err == nil {
		if err = dec.Decode(&more); errors.Is(err, io.EOF) {
			return doc.Content[0], nil
		}
		if err == nil {
			return nil, r.wrong(&more, errors.New("a second document: one is enough"))
		}
	}
	line, text := bench.BrokenYAML(err, data)
	return nil, &Error{Path: r.path, Line: line, Err: errors.New(text)}
}

// keys are the keys of a mapping, and what takes the value of each.
type keys map[string]func(*yaml.Node) error

// pair is a key of a mapping and its value.
type pair struct{ key, value *yaml.Node }

// mapping reads a mapping that has none but these keys; null is an empty one.
func (r *reader) mapping(n *yaml.Node, what string, take keys) error {
	pairs, err := r.pairs(n, what)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		f := take[p.key.Value]
		if f == nil {
			known := slices.Sorted(maps.Keys(take))
			return &Error{
				Path: r.path, Line: p.key.Line, Given: p.key.Value, Known: known,
				Err: fmt.Errorf("unknown key %q of %s", p.key.Value, what),
			}
		}
		if err := f(p.value); err != nil {
			var e *Error
			if errors.As(err, &e) && e.Key == "" {
				e.Key = p.key.Value // the innermost
			}
			return err
		}
	}
	return nil
}

// pairs are the entries of a mapping, with those that "<<" merges into it.
func (r *reader) pairs(n *yaml.Node, what string) ([]pair, error) {
	n = follow(n)
	switch {
	case isNull(n):
		return nil, nil
	case n.Kind != yaml.MappingNode:
		return nil, r.wrong(n, fmt.Errorf("%s is %s, not a mapping", what, kindOf(n)))
	}
	var own, merged []pair
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], follow(n.Content[i+1])
		if key.Tag == "!!merge" {
			more, err := r.merge(value, what)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			return nil, r.wrong(key, fmt.Errorf("a key of %s is %s, not a name", what, kindOf(key)))
		}
		if line, twice := seen[key.Value]; twice {
			return nil, r.wrong(key, fmt.Errorf("key %q of %s is there already, in line %d", key.Value, what, line))
		}
		seen[key.Value] = key.Line
		own = append(own, pair{key, value})
	}
	for _, p := range merged {
		if _, covered := seen[p.key.Value]; !covered {
			seen[p.key.Value] = p.key.Line
			own = append(own, p)
		}
	}
	return own, nil
}

func (r *reader) merge(n *yaml.Node, what string) ([]pair, error) {
	if n.Kind != yaml.SequenceNode {
		return r.pairs(n, what)
	}
	var all []pair
	for _, item := range n.Content {
		more, err := r.pairs(item, what)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
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

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kindOf names what a node is, for people.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	names := map[string]string{
		"!!null": "null", "!!bool": "true or false", "!!int": "a number", "!!float": "a number", "!!timestamp": "a date",
	}
	if name := names[n.Tag]; name != "" {
		return name
	}
	return "a text"
}

// is tells whether a node is a scalar of one of the types.
func is(n *yaml.Node, tags ...string) bool {
	return n.Kind == yaml.ScalarNode && slices.Contains(tags, n.Tag)
}

func (r *reader) not(n *yaml.Node, want string) error {
	what := kindOf(n)
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		what = fmt.Sprintf("%q is %s", n.Value, what)
	}
	return r.wrong(n, fmt.Errorf("%s, not %s", what, want))
}

func (r *reader) text(n *yaml.Node) (string, error) {
	if !is(n, "!!str") {
		return "", r.not(n, "a text")
	}
	return n.Value, nil
}

// words11 are the flags of YAML 1.1, which KernMLOps reads; for YAML 1.2 some of
// them are texts.
var words11 = map[string]bool{"yes": true, "on": true, "true": true, "no": false, "off": false, "false": false}

func (r *reader) flag(n *yaml.Node) (bool, error) {
	value, ok := words11[strings.ToLower(n.Value)]
	plain := n.Kind == yaml.ScalarNode && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
	if !ok || !plain {
		return false, r.not(n, "true or false")
	}
	return value, nil
}

// count is a whole number from 0.
func (r *reader) count(n *yaml.Node) error {
	var v int64
	if !is(n, "!!int") || n.Decode(&v) != nil {
		return r.not(n, "a whole number")
	}
	if v < 0 {
		return r.wrong(n, fmt.Errorf("%d is negative", v))
	}
	return nil
}

// rate is a number of seconds; nothing is made of it.
func (r *reader) rate(n *yaml.Node) error {
	var v float64
	if !is(n, "!!int", "!!float") || n.Decode(&v) != nil {
		return r.not(n, "a number of seconds")
	}
	if math.IsNaN(v) || v < 0 || v > time.Hour.Seconds() {
		return r.wrong(n, fmt.Errorf("%v s: want 0 to an hour", v))
	}
	return nil
}

// duration is a time as pytimeparse has it.
func (r *reader) duration(n *yaml.Node) (time.Duration, error) {
	if !is(n, "!!str", "!!int", "!!float") {
		return 0, r.not(n, "a time such as 1m30s")
	}
	d, err := parseTime(n.Value)
	if err != nil {
		return 0, r.wrong(n, err)
	}
	return d, nil
}
