// SPDX-License-Identifier: Apache-2.0

package knob

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// NoChange is the value that leaves a setting as it is.
const NoChange = "no_change"

// Setting is a knob and the value that it should have.
type Setting struct{ Name, Value string }

// Set is a list of settings, applied in this order.
type Set []Setting

// Parse reads settings of the form NAME=VALUE.
func Parse(words []string) (Set, error) {
	var s Set
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("setting %q: not of the form NAME=VALUE", w)
		}
		if err := s.add(name, value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// UnmarshalYAML reads a mapping of names to values, in the order of the file.
// A null is NoChange. Values are taken as they are written: never, 010 and no
// are texts.
func (s *Set) UnmarshalYAML(n *yaml.Node) error {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: settings are a mapping of names to values", n.Line)
	}
	var set Set
	for i := 0; i < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if value.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: setting %s: its value is a text or a number", value.Line, name.Value)
		}
		text := value.Value
		if value.Tag == "!!null" {
			text = NoChange
		}
		if err := set.add(name.Value, text); err != nil {
			return fmt.Errorf("line %d: %w", name.Line, err)
		}
	}
	*s = set
	return nil
}

func (s *Set) add(name, value string) error {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return &Error{Knob: name, Err: errors.New("no value"), Hint: NoChange + " leaves it as it is"}
	case strings.ContainsAny(value, "\n\x00"):
		return &Error{Knob: name, Err: errors.New("a value is one line")}
	case slices.ContainsFunc(*s, func(o Setting) bool { return o.Name == name }):
		return &Error{Knob: name, Err: errors.New("set twice")}
	}
	*s = append(*s, Setting{name, value})
	return nil
}

// With is the set with others over it: one of the same file takes the place of
// the first, the rest follow.
func (s Set) With(others Set) Set {
	all := slices.Clone(s)
	for _, o := range others {
		if i := slices.IndexFunc(all, func(a Setting) bool { return a.file() == o.file() }); i >= 0 {
			all[i] = o
		} else {
			all = append(all, o)
		}
	}
	return all
}

// file tells which settings are the same one by other names.
func (s Setting) file() string {
	k, err := find(s.Name)
	if err != nil {
		return s.Name
	}
	if resolved, err := Resolve(k.files); err == nil {
		return resolved
	}
	return k.files
}
