// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Param is a parameter of a workload.
type Param struct {
	Name    string    `yaml:"-"`
	Type    string    `yaml:"type"`
	Default yaml.Node `yaml:"default"` // null: without a value unless one is given
	Unit    string    `yaml:"unit"`
	Min     *float64  `yaml:"min"`
	Max     *float64  `yaml:"max"`
	Choices []string  `yaml:"choices"`
	Doc     string    `yaml:"doc"`
}

// Params are parameters in the order of the file.
type Params []Param

// UnmarshalYAML reads a mapping of names.
func (p *Params) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: params must be a mapping of names", node.Line)
	}
	var order struct {
		Params map[string]Param `yaml:",inline"`
	}
	if err := strict(node, &order); err != nil {
		return err
	}
	for i := 0; i < len(node.Content); i += 2 {
		q := order.Params[node.Content[i].Value]
		q.Name = node.Content[i].Value
		if err := q.check(); err != nil {
			return fmt.Errorf("line %d: parameter %s: %w", node.Content[i].Line, q.Name, err)
		}
		*p = append(*p, q)
	}
	return nil
}

// strict decodes a node; unknown keys are errors. (A decoder's KnownFields is
// not handed down to the nodes that UnmarshalYAML is given.)
func strict(node *yaml.Node, into any) error {
	known := keysOf(reflect.TypeFor[Param](), "Param")
	for i := 0; i < len(node.Content); i += 2 {
		value := node.Content[i+1]
		for j := 0; value.Kind == yaml.MappingNode && j < len(value.Content); j += 2 {
			key := value.Content[j]
			if !slices.Contains(known, key.Value) {
				return &KeyError{key.Line, key.Value, "parameter", known}
			}
		}
	}
	return node.Decode(into)
}

// reserved are the names that templates have beside the parameters.
var reserved = []string{"dir", "cwd", "kbench", "benchmark_dir", "iteration"}

func (p *Param) check() error {
	switch {
	case !slices.Contains([]string{"text", "int", "float", "bool", "duration", "port", "choice"}, p.Type):
		return fmt.Errorf("type %q: want text, int, float, bool, duration, port or choice", p.Type)
	case p.Doc == "":
		return fmt.Errorf("doc is missing")
	case (p.Type == "choice") != (len(p.Choices) > 0):
		return fmt.Errorf("choices belong to the type choice")
	case slices.Contains(reserved, p.Name):
		return fmt.Errorf("the name is taken: templates have it already")
	case p.Default.IsZero():
		return fmt.Errorf("default is missing")
	}
	_, err := p.Parse(p.DefaultText())
	return err
}

// DefaultText is the default as text, "" for none.
func (p *Param) DefaultText() string {
	if p.optional() {
		return ""
	}
	return p.Default.Value
}

func (p *Param) optional() bool { return p.Default.Tag == "!!null" }

// Parse checks a value and gives it the type that templates see: int64,
// float64, bool or string. "" is no value, where that is allowed.
func (p *Param) Parse(text string) (any, error) {
	if text == "" && p.optional() {
		return "", nil
	}
	switch p.Type {
	case "int", "port":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, p.within(float64(n))
	case "float":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%q is not a number", text)
		}
		return f, p.within(f)
	case "bool":
		b, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
		return b, nil
	case "duration":
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return nil, fmt.Errorf("%q is not a duration such as 1m30s", text)
		}
		return text, nil
	case "choice":
		if !slices.Contains(p.Choices, text) {
			return nil, fmt.Errorf("%q: want one of %s", text, strings.Join(p.Choices, ", "))
		}
	}
	return text, nil
}

// within checks the range.
func (p *Param) within(v float64) error {
	lo, hi := p.Min, p.Max
	if p.Type == "port" {
		first, last := 0.0, 65535.0
		lo, hi = &first, &last
	}
	if lo != nil && v < *lo || hi != nil && v > *hi {
		return fmt.Errorf("%v is out of range: %s", v, span(lo, hi))
	}
	return nil
}

// Range is the range as text, "" without one.
func (p *Param) Range() string {
	if len(p.Choices) > 0 {
		return strings.Join(p.Choices, "|")
	}
	return span(p.Min, p.Max)
}

func span(lo, hi *float64) string {
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case lo != nil && hi != nil:
		return text(*lo) + " to " + text(*hi)
	case lo != nil:
		return "at least " + text(*lo)
	case hi != nil:
		return "at most " + text(*hi)
	}
	return ""
}

// Find returns the parameter of a name, nil without one.
func (p Params) Find(name string) *Param {
	for i := range p {
		if p[i].Name == name {
			return &p[i]
		}
	}
	return nil
}
