// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"strings"
	"time"
)

// costs tell what a cell takes by those that were done before: cells with the
// same values, else with the same workload and hooks, else all.
type costs struct {
	keys map[int][]string // of each cell, the closest first
	sums map[string]*cost
}

// cost is the sum over some cells.
type cost struct {
	cells   int
	seconds float64
	bytes   int64
}

func newCosts(cells []Cell, done []Ending) costs {
	c := costs{keys: map[int][]string{}, sums: map[string]*cost{}}
	for _, cell := range cells {
		name, _ := cell.Coordinates.find("workload")
		hooks, _ := cell.Coordinates.find("hooks")
		c.keys[cell.Number] = []string{cell.Coordinates.without("repeat").String(), name + " " + hooks, ""}
	}
	for _, e := range done {
		c.add(e)
	}
	return c
}

// add takes in what a cell took, if it was done.
func (c costs) add(e Ending) {
	if e.Verdict != Done {
		return
	}
	for _, key := range c.keys[e.Cell] {
		if c.sums[key] == nil {
			c.sums[key] = &cost{}
		}
		s := c.sums[key]
		s.cells++
		s.seconds += e.Seconds
		s.bytes += e.Bytes
	}
}

// of is what a cell takes; ok: it is known.
func (c costs) of(n int) (took time.Duration, bytes int64, ok bool) {
	for _, key := range c.keys[n] {
		if s := c.sums[key]; s != nil {
			mean := s.seconds / float64(s.cells)
			return time.Duration(mean * float64(time.Second)), s.bytes / int64(s.cells), true
		}
	}
	return 0, 0, false
}

// left is what cells take, 0 where nobody knows.
func (c costs) left(cells []*Cell) (sum time.Duration) {
	for _, cell := range cells {
		took, _, ok := c.of(cell.Number)
		if !ok {
			return 0
		}
		sum += took
	}
	return sum
}

// least is what a cell takes by its workload's own parameters: the longest that
// is called a duration; 0 without one.
func (c *Cell) least() time.Duration {
	var most time.Duration
	for _, p := range c.subject.Params {
		text, given := c.plan.Set[p.Name]
		if !given {
			text = p.DefaultText()
		}
		if p.Unit == "s" {
			text += "s"
		}
		if d, err := time.ParseDuration(text); err == nil && strings.HasSuffix(p.Name, "duration") {
			most = max(most, d)
		}
	}
	return most * time.Duration(1+c.plan.Warmup)
}
