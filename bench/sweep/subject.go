// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/bench/workload"
	"go.yaml.in/yaml/v3"
)

// workload reads a name, a list of names, or a mapping of names to parameters.
func (f *file) workload(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		return f.subject(n, nil)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := f.subject(follow(item), nil); err != nil {
				return err
			}
		}
		return nil
	}
	pairs, err := f.pairs(n, "workload")
	if err != nil {
		return err
	}
	for _, p := range pairs {
		var own []axis
		if p.value.Tag != "!!null" {
			if own, err = f.axes(p.value, p.key.Value); err != nil {
				return err
			}
		}
		if err := f.subject(p.key, own); err != nil {
			return err
		}
	}
	return nil
}

// subject loads a workload; a path begins at the file's folder.
func (f *file) subject(n *yaml.Node, own []axis) error {
	path, err := f.text(n, "workload")
	if err != nil {
		return err
	}
	if strings.ContainsRune(path, '/') || strings.HasSuffix(path, ".yaml") {
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.path), path)
		}
		if path, err = filepath.Abs(path); err != nil {
			return f.wrong(n, "%w", err)
		}
	}
	w, err := workload.Load(path)
	var missing *workload.UnknownError
	switch {
	case errors.As(err, &missing):
		return f.unknown(n, "workload", "", builtin())
	case err != nil:
		return f.wrong(n, "%w", err)
	case slices.ContainsFunc(f.workloads, func(s *subject) bool { return s.Name == w.Name }):
		return f.wrong(n, "workload %s is there twice", w.Name)
	}
	f.workloads = append(f.workloads, &subject{w, n, path, own})
	return nil
}

func builtin() []string {
	all, err := workload.Builtin()
	if err != nil {
		return nil // then there is nothing to suggest
	}
	var names []string
	for _, w := range all {
		names = append(names, w.Name)
	}
	return names
}

// hookSets reads a list of hooks, or a list of such lists.
func (f *file) hookSets(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return f.wrong(n, "hooks: not a list")
	}
	sets := []*yaml.Node{n}
	if len(n.Content) > 0 && follow(n.Content[0]).Kind == yaml.SequenceNode {
		sets = n.Content
	}
	f.hooks = axis{name: "hooks", at: n}
	for _, set := range sets {
		if set = follow(set); set.Kind != yaml.SequenceNode {
			return f.wrong(set, "hooks: hooks and lists of hooks side by side")
		}
		var names []string
		for _, item := range set.Content {
			name, err := f.text(follow(item), "hooks")
			if err != nil {
				return err
			}
			if slices.Contains(names, name) {
				return f.wrong(item, "hooks: %s is there twice", name)
			}
			names = append(names, name)
		}
		text := strings.Join(names, ",")
		if slices.ContainsFunc(f.hooks.values, func(v value) bool { return v.text == text }) {
			return f.wrong(set, "hooks: the list %s is there twice", text)
		}
		f.hooks.values = append(f.hooks.values, value{text, set})
	}
	return nil
}

// settings is a set of knobs of coordinates.
func settings(all Coordinates) (knob.Set, error) {
	var words []string
	for _, c := range all {
		if name, ok := strings.CutPrefix(c.Key, knobsKey); ok {
			if c.Value == "" {
				c.Value = knob.NoChange
			}
			words = append(words, name+"="+c.Value)
		}
	}
	return knob.Parse(words)
}
