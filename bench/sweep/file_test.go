// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/bench/collect"
	"go.yaml.in/yaml/v3"
)

// read reads a sweep of the workload tiny.
func read(t *testing.T, text string) (*Sweep, string, error) {
	t.Helper()
	l := newLab(t, text)
	path := filepath.Join(l.dir, "mine.yaml")
	s, err := Read(context.Background(), path, "")
	return s, path, err
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	const good = "workload: ./tiny.yaml\nhooks: []\n"
	for text, want := range map[string]string{
		"":                                          `:1: the file is empty`,
		"- 1\n":                                     `:1: the file: not a mapping of names to values`,
		"hooks: []\n":                               `:1: workload is missing: what runs`,
		"workload: ./tiny.yaml\n":                   `:1: hooks is missing: what is recorded; [] makes baselines`,
		good + "nam: x\n":                           `:3: unknown key "nam" of the file`,
		good + "set: {n: 1}\nset: {n: 2}\n":         `:4: the file: set is there already, in line 3`,
		good + "set: [\n":                           `:3: did not find expected node content`,
		good + "---\na: 1\n":                        `:3: a second document: one is enough`,
		good + "set:\n  m: 1\n":                     `:4: unknown parameter "m" of tiny`,
		good + "set: {n: [1,\n  x]}\n":              `:4: n: "x" is not a whole number`,
		good + "set: {n: 10}\n":                     `:3: n: 10 is out of range: 0 to 9`,
		good + "set: {n: []}\n":                     `:3: n: an empty list of values: no cell would have one`,
		good + "set: {n: [1, 1]}\n":                 `:3: n: the value "1" is there twice`,
		good + "set: {n: {a: 1}}\n":                 `:3: n: not a single value`,
		good + "set: 3\n":                           `:3: set: not a mapping of names to values`,
		good + "knobs: {nothing: 1}\n":              `:3: knob nothing: no such setting`,
		good + "knobs: {swappiness: [1,\n  999]}\n": `:4: knob swappiness: "999" is not a number from 0 to 200`,
		good + "knobs: {swappiness: 1, vm.swappiness: 2}\n": `:3: knob vm.swappiness: changes the same as swappiness`,
		good + "repeat: 0\n":                        `:3: repeat: not a whole number from 1`,
		good + "repeat: 1.5\n":                      `:3: repeat: not a whole number from 1`,
		good + "repeat: 100001\n":                   `:3: repeat: more than 100000`,
		good + "repeat: 100000\nset: {n: [1, 2]}\n": `:1: the matrix has 200000 cells and more: at most 100000`,
		good + "order: sorted\n":                    `:3: unknown order "sorted"`,
		good + "seed: -1\n":                         `:3: seed: not a whole number from 0`,
		good + "timeout: 10\n":                      `:3: timeout: "10" is not a duration such as 10m`,
		good + "name: a/b\n":                        `:1: name "a/b": letters, digits`,
		good + "prefix: ../x\n":                     `:1: prefix "../x": letters, digits`,
		good + "cpus: 0-99999\n":                    `:1: `,
		good + "exclude: {set: {n: 1}}\n":           `:3: exclude: not a list of combinations`,
		good + "exclude:\n  - {set: {n: 7}}\n":      `:4: exclude: no cell has set.n=7`,
		good + "set: {n: [1, 2]}\nrepeat: 2\nexclude: [{set: {n: 1}}, {set: {n: [1, 2]}}]\n": `:5: exclude: no cell is left`,
		good + "exclude: [{sets: {n: 1}}]\n":                                                 `:3: unknown key "sets" of an entry of exclude`,
		"workload: radis\nhooks: []\n":                                                       `:1: unknown workload "radis"`,
		"workload: ./none.yaml\nhooks: []\n":                                                 `:1: read workload: open `,
		"workload: [./tiny.yaml, ./tiny.yaml]\nhooks: []\n":                                  `:1: workload tiny is there twice`,
		"workload:\n  ./tiny.yaml: {n: 1}\nset: {n: 2}\nhooks: []\n":                         `:2: n is there already, in set`,
		"workload: ./tiny.yaml\nhooks: page_fault\n":                                         `:2: hooks: not a list`,
		"workload: ./tiny.yaml\nhooks: [[page_fault], page_fault]\n":                         `:2: hooks: hooks and lists of hooks side by side`,
		"workload: ./tiny.yaml\nhooks: [page_fault, page_fault]\n":                           `:2: hooks: page_fault is there twice`,
		"workload: ./tiny.yaml\nhooks: [[], []]\n":                                           `:2: hooks: the list  is there twice`,
		"workload: ./tiny.yaml\nhooks:\n  - page_falt\n":                                     `:3: unknown hook "page_falt"`,
	} {
		_, path, err := read(t, text)
		var e *collect.Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%s\n gives %v\nwant %s", text, err, want)
		}
	}
}

// labels of cells, in order.
func labels(cells []Cell) string {
	var all []string
	for _, c := range cells {
		all = append(all, fmt.Sprint(c.Number, " ", c.Label))
	}
	return strings.Join(all, "\n")
}

func TestMatrixIsTheProductOfItsAxes(t *testing.T) {
	s, _, err := read(t, `
workload:
  ./tiny.yaml: {n: [1, 2]}
  faux: {duration: 1s}
knobs: {vm.swappiness: [null, 10], vm.dirty_ratio: 20}
hooks: [[process_trace, page_fault], []]
repeat: 2
order: given
exclude:
  - {workload: faux, hooks: []}
  - {set: {n: 2}, knobs: {vm.swappiness: 10}}
  - {set: {n: 1}, repeat: 2}
  - {workload: faux, knobs: {vm.swappiness: [null]}, hooks: [process_trace, page_fault], repeat: 1}
`)
	must(t, err)
	want := `1 workload=tiny set.n=1 knobs.vm.swappiness="" hooks=process_trace,page_fault repeat=1
2 workload=tiny set.n=1 knobs.vm.swappiness="" hooks=none repeat=1
3 workload=tiny set.n=1 knobs.vm.swappiness=10 hooks=process_trace,page_fault repeat=1
4 workload=tiny set.n=1 knobs.vm.swappiness=10 hooks=none repeat=1
5 workload=tiny set.n=2 knobs.vm.swappiness="" hooks=process_trace,page_fault repeat=1
6 workload=tiny set.n=2 knobs.vm.swappiness="" hooks=process_trace,page_fault repeat=2
7 workload=tiny set.n=2 knobs.vm.swappiness="" hooks=none repeat=1
8 workload=tiny set.n=2 knobs.vm.swappiness="" hooks=none repeat=2
9 workload=faux set.duration=1s knobs.vm.swappiness="" hooks=process_trace,page_fault repeat=2
10 workload=faux set.duration=1s knobs.vm.swappiness=10 hooks=process_trace,page_fault repeat=1
11 workload=faux set.duration=1s knobs.vm.swappiness=10 hooks=process_trace,page_fault repeat=2`
	if got := labels(s.Cells(7)); got != want {
		t.Errorf("the cells are\n%s\nwant\n%s", got, want)
	}
}

// The order of a seed is a promise: it is what `printf 'SEED COORDINATES' |
// sha256sum` sorts.
func TestRandomOrderIsThatOfTheSeed(t *testing.T) {
	s, _, err := read(t, "workload: ./tiny.yaml\nset: {n: [1, 2, 3, 4]}\nhooks: []\n")
	must(t, err)
	for seed, want := range map[uint64][]string{7: {"4", "2", "1", "3"}, 42: {"4", "1", "3", "2"}} {
		var got []string
		for _, c := range s.Cells(seed) {
			n, _ := c.Coordinates.find("set.n")
			got = append(got, n)
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %q, want %q", seed, got, want)
		}
	}
}

func TestCoordinatesAreJSONInTheConfiguration(t *testing.T) {
	c := Coordinates{{"workload", "tiny"}, {"set.text", `a "b", 'c' \d: {e} ü`}, {"knobs.vm.swappiness", ""}, {"set.n", "1"}, {"repeat", "2"}}
	data, err := yaml.Marshal(place{Sweep: "mine", Coordinates: c.flow()})
	must(t, err)
	m := coordinates.FindSubmatch(data)
	if m == nil {
		t.Fatalf("no line of coordinates in\n%s", data)
	}
	var got struct {
		Workload   string
		Set, Knobs map[string]string
		Repeat     string
	}
	must(t, json.Unmarshal(m[1], &got))
	if got.Workload != "tiny" || got.Set["text"] != `a "b", 'c' \d: {e} ü` || got.Set["n"] != "1" || got.Repeat != "2" || len(got.Knobs) != 1 {
		t.Errorf("%s\nis read as %+v", m[1], got)
	}
}

func TestCostsAreThoseOfTheClosestCells(t *testing.T) {
	s, _, err := read(t, "workload: {./tiny.yaml: {n: [1, 2], duration: [10s, 20s]}, faux: {duration: 5s}}\nhooks: []\nrepeat: 2\norder: given\nwarmup: 1\n")
	must(t, err)
	cells := s.Cells(0)
	c := newCosts(cells, nil)
	if _, _, ok := c.of(1); ok || cells[2].least().Seconds() != 40 || cells[9].least().Seconds() != 10 {
		t.Errorf("before any cell was done: %v, at least %v and %v", ok, cells[2].least(), cells[9].least())
	}
	c.add(Ending{Cell: 1, Verdict: Done, Seconds: 1, Bytes: 100})
	c.add(Ending{Cell: 3, Verdict: Done, Seconds: 3, Bytes: 300})
	c.add(Ending{Cell: 3, Verdict: Failed, Seconds: 99, Bytes: 9900})
	for n, want := range map[int]float64{2: 1, 4: 3, 5: 2, 9: 2} { // the same; the same; of its workload; all
		took, bytes, ok := c.of(n)
		if took.Seconds() != want || bytes != int64(want*100) || !ok {
			t.Errorf("cell %d takes %v, %d bytes, %v; want %v s", n, took, bytes, ok, want)
		}
	}
}

func TestExampleIsASweep(t *testing.T) {
	text, err := os.ReadFile("../../docs/sweep.yaml")
	must(t, err)
	s, _, err := read(t, string(text))
	must(t, err)
	if n := len(s.Cells(0)); n != 24 || s.Name != "redis-thp" {
		t.Errorf("%s has %d cells, want 24", s.Name, n)
	}
}
