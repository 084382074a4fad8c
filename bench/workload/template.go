// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// scope is what templates can refer to.
type scope map[string]any

// with returns the scope with one more name.
func (s scope) with(name string, value any) scope {
	inner := maps.Clone(s)
	inner[name] = value
	return inner
}

// loops is the name under which a scope has its loops' counts. No template can
// say it.
const loops = "loop counts"

// turn returns the scope of a loop's turn; without a name it is not told apart.
func (s scope) turn(name string, i int) scope {
	if name == "" {
		return s
	}
	counts, _ := s[loops].(map[string]any)
	counts = maps.Clone(counts)
	if counts == nil {
		counts = map[string]any{}
	}
	counts[name] = i
	return s.with(name, i).with(loops, counts)
}

// attrs are facts for a marker: the counts of the loops around it, and pid
// unless it is 0.
func (s scope) attrs(pid int) map[string]any {
	counts, _ := s[loops].(map[string]any)
	attrs := map[string]any{}
	maps.Copy(attrs, counts)
	if pid != 0 {
		attrs["pid"] = pid
	}
	return attrs
}

var functions = template.FuncMap{
	"add": func(a, b any) (int64, error) { return arithmetic(a, b, func(x, y int64) int64 { return x + y }) },
	"mul": func(a, b any) (int64, error) { return arithmetic(a, b, func(x, y int64) int64 { return x * y }) },
	"seconds": func(text string) (int64, error) {
		d, err := time.ParseDuration(text)
		return int64((d + time.Second - 1) / time.Second), err
	},
}

func arithmetic(a, b any, f func(x, y int64) int64) (int64, error) {
	x, err := strconv.ParseInt(fmt.Sprint(a), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%v is not a whole number", a)
	}
	y, err := strconv.ParseInt(fmt.Sprint(b), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%v is not a whole number", b)
	}
	return f(x, y), nil
}

// text fills in a template.
func (s scope) text(tmpl string) (string, error) {
	if !strings.Contains(tmpl, "{{") {
		return tmpl, nil
	}
	t, err := template.New("template").Funcs(functions).Option("missingkey=error").Parse(tmpl)
	if err != nil {
		return "", fmt.Errorf("%q: %w", tmpl, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, map[string]any(s)); err != nil {
		return "", fmt.Errorf("%q: %w", tmpl, err)
	}
	return b.String(), nil
}

// words fills in a command; a template that comes out empty is no word.
func (s scope) words(command []string) ([]string, error) {
	words, err := s.fill(command)
	if err == nil && len(words) == 0 && len(command) > 0 {
		return nil, fmt.Errorf("command %q comes out empty", command)
	}
	return words, err
}

// fill fills in a list; a template that comes out empty is left out.
func (s scope) fill(list []string) ([]string, error) {
	var words []string
	for _, c := range list {
		w, err := s.text(c)
		if err != nil {
			return nil, err
		}
		if w != "" || c == "" {
			words = append(words, w)
		}
	}
	return words, nil
}

// holds tells whether a condition is met; "" always is.
func (s scope) holds(condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	v, err := s.text(condition)
	switch strings.TrimSpace(v) {
	case "", "false", "0":
		return false, err
	}
	return true, err
}

// count fills in a number of repetitions; "" is one.
func (s scope) count(tmpl string) (int, error) {
	if tmpl == "" {
		return 1, nil
	}
	text, err := s.text(tmpl)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("repeat %q is not a count", text)
	}
	return n, nil
}

// multiline lets ^ and $ match at every line.
const multiline = "(?m)"

// patterns fills in regular expressions; a template that comes out empty is
// none.
func (s scope) patterns(list []string) ([]*regexp.Regexp, error) {
	words, err := s.fill(list)
	if err != nil {
		return nil, err
	}
	patterns := make([]*regexp.Regexp, len(words))
	for i, w := range words {
		if patterns[i], err = regexp.Compile(multiline + w); err != nil {
			return nil, err
		}
	}
	return patterns, nil
}
