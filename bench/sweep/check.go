// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kermit-trace/kermit/bench/collect"
	"github.com/kermit-trace/kermit/bench/knob"
	"github.com/kermit-trace/kermit/bench/workload"
	"go.yaml.in/yaml/v3"
)

// check finds what is wrong with the values, each where it stands.
func (f *file) check(ctx context.Context) error {
	if _, err := collect.Find("kparquet"); err != nil {
		return err
	}
	if err := f.checkHooks(ctx); err != nil {
		return err
	}
	for _, s := range f.workloads {
		for _, a := range s.own {
			if slices.ContainsFunc(f.set, func(b axis) bool { return a.name == b.name }) {
				return f.wrong(a.at, "%s is there already, in set", a.name)
			}
		}
		for _, a := range slices.Concat(f.set, s.own) {
			if err := f.checkParam(s, a); err != nil {
				return err
			}
		}
	}
	return f.checkKnobs()
}

func (f *file) checkHooks(ctx context.Context) error {
	if !slices.ContainsFunc(f.hooks.values, func(v value) bool { return v.text != "" }) {
		return nil
	}
	hooks, err := collect.AskKtrace(ctx)
	if err != nil {
		return err
	}
	known := slices.Concat(hooks.Rooms, hooks.Tables)
	for _, set := range f.hooks.values {
		for _, item := range set.at.Content {
			if name := follow(item); !slices.Contains(known, name.Value) {
				return f.unknown(name, "hook", "", known)
			}
		}
	}
	return nil
}

func (f *file) checkParam(s *subject, a axis) error {
	p := s.Params.Find(a.name)
	if p == nil {
		var known []string
		for _, p := range s.Params {
			known = append(known, p.Name)
		}
		return f.unknown(a.at, "parameter", s.Name, known)
	}
	for _, v := range a.values {
		if _, err := p.Parse(v.text); err != nil {
			return f.wrong(v.at, "%s: %w", a.name, err)
		}
	}
	return nil
}

// checkKnobs tries each value by itself.
func (f *file) checkKnobs() error {
	for _, a := range f.knobs {
		for _, v := range a.values {
			set, err := settings(Coordinates{{knobsKey + a.name, v.text}})
			if err == nil {
				err = set.Check()
			}
			if err != nil {
				at := v.at
				var e *knob.Error
				if errors.As(err, &e) && e.Given == a.name {
					at = a.at
				}
				return f.knobError(at, err)
			}
		}
	}
	return nil
}

func (f *file) knobError(at *yaml.Node, err error) error {
	e := &collect.Error{Path: f.path, Line: at.Line, Err: err}
	var k *knob.Error
	if errors.As(err, &k) {
		e.Given, e.Known = k.Given, k.Known
	}
	return e
}

// rehearse prepares a cell as its run will, for what only then is known: taken
// ports, missing programs, knobs of one file.
func (f *file) rehearse(s *subject, p collect.Plan) error {
	_, err := s.Prepare(workload.Options{Set: p.Set, Warmup: p.Warmup, Timeout: p.Timeout, CPUs: p.CPUs, BenchmarkDir: p.BenchmarkDir})
	var need *workload.NeedError
	switch {
	case errors.As(err, &need):
		return err
	case err != nil:
		return f.wrong(s.at, "%w", err)
	}
	if err := p.Knobs.Check(); err != nil {
		return f.knobError(f.knobs[0].at, err)
	}
	return nil
}

// rule leaves out the cells that have one of its values for each of its keys.
type rule struct {
	at     *yaml.Node
	wanted []axis
}

func (r rule) holds(c Coordinates) bool {
	for _, a := range r.wanted {
		have, ok := c.find(a.name)
		if !ok || !slices.ContainsFunc(a.values, func(v value) bool { return v.text == have }) {
			return false
		}
	}
	return true
}

// exclude reads the rules; whether they make sense is seen when the matrix is
// known.
func (f *file) exclude(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return f.wrong(n, "exclude: not a list of combinations")
	}
	for _, item := range n.Content {
		r := rule{at: follow(item)}
		one := func(name string) func(*yaml.Node) error {
			return func(n *yaml.Node) error {
				text, err := f.text(n, name)
				r.wanted = append(r.wanted, axis{name, n, []value{{text, n}}})
				return err
			}
		}
		under := func(key string) func(*yaml.Node) error {
			return func(n *yaml.Node) error {
				axes, err := f.axes(n, strings.TrimSuffix(key, "."))
				for _, a := range axes {
					a.name = key + a.name
					r.wanted = append(r.wanted, a)
				}
				return err
			}
		}
		err := f.mapping(r.at, "an entry of exclude", map[string]func(*yaml.Node) error{
			"workload": one("workload"), "repeat": one("repeat"), "set": under(setKey), "knobs": under(knobsKey),
			"hooks": func(n *yaml.Node) error {
				if n.Kind != yaml.SequenceNode {
					return f.wrong(n, "hooks: not a list")
				}
				var names []string
				for _, hook := range n.Content {
					names = append(names, follow(hook).Value)
				}
				r.wanted = append(r.wanted, axis{"hooks", n, []value{{strings.Join(names, ","), n}}})
				return nil
			},
		})
		if err != nil {
			return err
		}
		f.rules = append(f.rules, r)
	}
	return nil
}

// useless is the error for a rule that leaves nothing out: a slip.
func (f *file) useless(r rule, cells []Cell) error {
	for _, a := range r.wanted {
		for _, v := range a.values {
			if !slices.ContainsFunc(cells, func(c Cell) bool {
				have, ok := c.Coordinates.find(a.name)
				return ok && have == v.text
			}) {
				return f.wrong(v.at, "exclude: no cell has %s", Coordinate{a.name, v.text})
			}
		}
	}
	return f.wrong(r.at, "exclude: there is no such combination")
}

func (f *file) tooMany(n int) error {
	return &collect.Error{Path: f.path, Line: 1, Err: fmt.Errorf("the matrix has %d cells and more: at most %d", n, mostCells)}
}
