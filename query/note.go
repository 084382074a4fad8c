// SPDX-License-Identifier: Apache-2.0

package query

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Notes say, one line a kind, what the recordings that were asked cannot
// answer for: rows lost, events missed, an end that was cut, facts that the
// source could not see, files that were ignored. q is the query that was
// asked; without one, nothing is said of what the sources see.
func (d *DB) Notes(q *Query) []string {
	var notes []string
	add := func(format string, list []string) {
		if len(list) > 0 {
			notes = append(notes, fmt.Sprintf(format, strings.Join(list, "; ")))
		}
	}
	add("not written by kparquet, ignored: %s", d.shortened(d.ignored))
	add("not recorded, so what it would tell is empty: %s", d.absent)
	add("the recording was cut or is still under way: %s", d.cut())
	add("rows lost: %s", d.each(func(r recording) int64 { return r.Counters.Lost() }, "%s of %s", true))
	add("events that the kernel did not show: %s", d.each(func(r recording) int64 { return r.Counters.Missed }, "%s", false))
	if q != nil {
		add("%s", d.unseen(q.text))
	}
	return notes
}

// shortened names files relative to the one path that was opened.
func (d *DB) shortened(files []string) []string {
	var list []string
	for _, f := range files {
		if base, err := filepath.Abs(d.paths[0]); err == nil && len(d.paths) == 1 {
			if rel, err := filepath.Rel(base, f); err == nil && filepath.IsLocal(rel) {
				f = rel
			}
		}
		list = append(list, f)
	}
	return list
}

// cut names the collections whose stream did not end in order.
func (d *DB) cut() []string {
	open := map[string]bool{}
	for _, t := range d.used {
		for _, r := range d.recorded(t) {
			if !r.Complete {
				open[r.ID] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(open))
}

// each sums a count over the collections of every table that was used, and
// tells those where it is not 0. withDue adds the number of rows due.
func (d *DB) each(count func(recording) int64, format string, withDue bool) []string {
	var list []string
	for _, t := range d.used {
		var sum, due int64
		shares := d.recorded(t)
		hit := 0
		for _, r := range shares {
			if r.Counters == nil {
				continue
			}
			due += r.Counters.Seen - r.Counters.Filtered
			if n := count(r); n > 0 {
				sum += n
				hit++
			}
		}
		if sum == 0 {
			continue
		}
		values := []any{groupDigits(sum)}
		if withDue {
			values = append(values, groupDigits(due))
		}
		text := t + " " + fmt.Sprintf(format, values...)
		if len(shares) > 1 {
			text += fmt.Sprintf(" (in %d of %d collections)", hit, len(shares))
		}
		list = append(list, text)
	}
	return list
}

// unseen tells what the sources of the tables that were used cannot see: of
// columns those that text names, of other facts all.
func (d *DB) unseen(text string) []string {
	var list []string
	for _, t := range d.used {
		for _, r := range d.recorded(t) {
			var facts []string
			for _, u := range r.Unobservable {
				if _, isColumn := r.Columns[u]; !isColumn || names(text, u) {
					facts = append(facts, u)
				}
			}
			line := fmt.Sprintf("%s: source %s cannot see %s", t, r.Source, strings.Join(facts, ", "))
			if len(facts) > 0 && !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
	}
	return list
}

// everyColumn is a star that stands for columns.
var everyColumn = regexp.MustCompile(`(?i)\bselect\s+(?:\w+\.)?\*|,\s*(?:\w+\.)?\*|^\s*from\b`)

// names tells whether SQL names a column, or all of them.
func names(text, column string) bool {
	word := regexp.MustCompile(`(?i)(?:^|\W)` + regexp.QuoteMeta(column) + `(?:\W|$)`)
	return word.MatchString(strings.Join(split(text), ";")) || everyColumn.MatchString(text)
}
