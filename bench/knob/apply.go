// SPDX-License-Identifier: Apache-2.0

package knob

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Journal remembers what is changed, so that it is put back whatever happens.
type Journal interface {
	// Claim takes files for this run alone; another run that has one is waited
	// for.
	Claim(ctx context.Context, wait time.Duration, files ...string) error
	// Change records what is about to change, and then writes the first file; the
	// kernel itself changes those that follow.
	Change(c Change, follow ...Change) error
}

// Change is a file that gets another value, by the name of its setting.
type Change struct {
	Name string `json:"name"`
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Value is a setting before and during a run.
type Value struct {
	Name   string
	Before string // "" for what cannot be read
	During string
}

// Values are the settings of a run.
type Values []Value

// String is the values as a JSON object in the order of the set:
// {"swappiness":{"before":"60","during":"10"}}. What cannot be read was null
// before.
func (v Values) String() string {
	parts := make([]string, len(v))
	for i, s := range v {
		before := quote(s.Before)
		if s.Before == "" {
			before = "null"
		}
		parts[i] = fmt.Sprintf(`%s:{"before":%s,"during":%s}`, quote(s.Name), before, quote(s.During))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func quote(s string) string {
	text, _ := json.Marshal(s) // a string always has a JSON form
	return string(text)
}

// Apply checks the set, takes its files for this run, waiting for another run
// that has one, and sets them. The values are those of all settings applied so
// far, also with an error; the journal puts back what was changed.
func (s Set) Apply(ctx context.Context, j Journal, wait time.Duration) (Values, error) {
	plans, err := s.plans()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, p := range plans {
		files = append(files, p.claims()...)
	}
	if len(files) > 0 {
		if err := j.Claim(ctx, wait, files...); err != nil {
			return nil, err
		}
	}
	var values Values
	for _, p := range plans {
		v, err := p.apply(j)
		if err != nil {
			return values, err
		}
		values = append(values, v)
	}
	return values, nil
}

// apply sets one knob's files.
func (p plan) apply(j Journal) (Value, error) {
	if p.once {
		unix.Sync() // only what is on disk can be forgotten
		if err := Write(p.paths[0], p.value); err != nil {
			return Value{}, p.explain(err)
		}
		return Value{p.name, "", p.value}, nil
	}
	var before, during []string
	for _, path := range p.paths {
		old, now, err := p.set(j, path)
		if err != nil {
			return Value{}, p.explain(err)
		}
		before, during = append(before, p.word(old)), append(during, p.word(now))
	}
	return Value{p.name, p.sum(before), p.sum(during)}, nil
}

// set sets a file and returns its value before and after.
func (p plan) set(j Journal, path string) (string, string, error) {
	old, err := Read(path)
	if err != nil {
		return "", "", err
	}
	if !Same(old.Value, p.value) {
		follow, err := twinChange(path)
		if err != nil {
			return "", "", err
		}
		if err := j.Change(Change{p.name, path, old.Value, p.value}, follow...); err != nil {
			return "", "", err
		}
	}
	now, err := Read(path)
	if err != nil {
		return "", "", err
	}
	if !Same(now.Value, p.value) {
		// Put back here: the journal would take what it does not know for
		// somebody else's.
		if err := Write(path, old.Value); err != nil {
			return "", "", err
		}
		return "", "", fmt.Errorf("%s: the kernel made %q of %q", path, now.Value, p.value)
	}
	return old.Value, now.Value, nil
}

// claims are the files that change with the knob.
func (p plan) claims() []string {
	if p.once {
		return nil
	}
	all := slices.Clone(p.paths)
	for _, path := range p.paths {
		if twin, ok := twins[path]; ok {
			all = append(all, twin)
		}
	}
	return all
}

// twinChange is what the kernel does to a file's twin when the file is written.
// The journal puts the twin back first, and with it the kernel clears the file:
// 0 itself is no value that could be written to some.
func twinChange(path string) ([]Change, error) {
	twin, ok := twins[path]
	if !ok {
		return nil, nil
	}
	now, err := Read(twin)
	if err != nil || now.Value == "0" {
		return nil, err
	}
	return []Change{{filepath.Base(twin), twin, now.Value, "0"}}, nil
}

// word is the kernel's value in the knob's words.
func (p plan) word(value string) string {
	if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < len(p.words) {
		return p.words[n]
	}
	return strings.Join(strings.Fields(value), " ")
}

// sum is one value where all files have the same, else each with its folder's
// name: "policy0=performance policy1=powersave".
func (p plan) sum(values []string) string {
	if slices.Equal(values, slices.Repeat(values[:1], len(values))) {
		return values[0]
	}
	each := make([]string, len(values))
	for i, path := range p.paths {
		each[i] = filepath.Base(filepath.Dir(path)) + "=" + values[i]
	}
	return strings.Join(each, " ")
}
