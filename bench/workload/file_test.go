// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"os"
	"strings"
	"testing"
)

// plainWorkload is one that lines are added to.
const plainWorkload = "doc: d\nphases:\n  - {name: run, command: [\"true\"]}\n"

func TestMistakesInAFileAreNamedWithTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no file":               {"", "the file is empty"},
		"not YAML":              {"doc: [1\n", "line 1"},
		"not YAML further on":   {"doc: d\nphases: [{name: run, command: [x}]\ndoc: d\n", "line 2: did not find expected ',' or ']'"},
		"no YAML to its end":    {"doc: d\nphases: [\n", "line 2: did not find expected"},
		"no YAML token":         {"doc: d\nphases: %\n", "line 2: found character that cannot start any token"},
		"a list":                {"- doc\n", "line 1"},
		"two documents":         {plainWorkload + "---\ndoc: e\n", "more than one document"},
		"unknown key":           {plainWorkload + "services:\n  - {name: s, comand: [x]}\n", `line 5: unknown key "comand" of a service`},
		"unknown top key":       {plainWorkload + "phase: []\n", `line 4: unknown key "phase" of a workload`},
		"unknown parameter key": {plainWorkload + "params:\n  n: {type: int, default: 1, doc: d, mim: 0}\n", `line 5: unknown key "mim" of a parameter`},
		"text for a list":       {"doc: d\nphases:\n  - {name: run, command: true}\n", "line 3"},
		"no doc":                {"phases: [{name: run, command: [x]}]\n", "doc is missing"},
		"no phases":             {"doc: d\n", "it has no phases"},
		"phase without work":    {"doc: d\nphases: [{name: run}]\n", "needs one of command, wait, sleep and phases"},
		"phase with two":        {"doc: d\nphases: [{name: run, command: [x], wait: 1s}]\n", "needs one of command, wait, sleep and phases"},
		"phase without name":    {"doc: d\nphases: [{command: [x]}]\n", "needs a name"},
		"repeat without phases": {"doc: d\nphases: [{name: run, command: [x], repeat: \"2\"}]\n", "repeat needs phases"},
		"service without name":  {plainWorkload + "services: [{command: [x]}]\n", "needs a name of its own"},
		"service out of place":  {plainWorkload + "services: [{name: ../s, command: [x], ready: {port: \"1\"}}]\n", "no / in it"},
		"services of one name":  {plainWorkload + "services: [{name: s, command: [x], ready: {port: \"1\"}}, {name: s, command: [x]}]\n", "needs a name of its own"},
		"service never ready":   {plainWorkload + "services: [{name: s, command: [x]}]\n", "service s: needs ready"},
		"asks anybody":          {plainWorkload + "services: [{name: s, command: [x], ready: {command: [x], http: \"http://x\"}}]\n", "and with http a port"},
		"unknown signal":        {plainWorkload + "services: [{name: s, command: [x], ready: {port: \"1\"}, stop: SIGFOO}]\n", `unknown signal "SIGFOO"`},
		"output is no pattern":  {plainWorkload + "services: [{name: s, command: [x], ready: {port: \"1\", output: \"(\"}}]\n", "ready: output"},
		"result is no pattern":  {"doc: d\nphases: [{name: run, command: [x], results: [{metric: m, pattern: \"(\"}]}]\n", "results: m"},
		"result without place":  {"doc: d\nphases: [{name: run, command: [x], results: [{metric: m}]}]\n", "needs one of json and pattern"},
		"need of nothing":       {plainWorkload + "needs: [{install: x}]\n", "wants a program"},
		"need of both":          {plainWorkload + "needs: [{program: x, file: y}]\n", "wants a program"},
		"unknown type":          {plainWorkload + "params:\n  n: {type: number, default: 1, doc: d}\n", `line 5: parameter n: type "number"`},
		"no default":            {plainWorkload + "params:\n  n: {type: int, doc: d}\n", "line 5: parameter n: default is missing"},
		"default out of range":  {plainWorkload + "params:\n  n: {type: int, default: 7, max: 6, doc: d}\n", "line 5: parameter n: 7 is out of range: at most 6"},
		"default of wrong type": {plainWorkload + "params:\n  n: {type: int, default: many, doc: d}\n", `line 5: parameter n: "many" is not a whole number`},
		"name that is taken":    {plainWorkload + "params:\n  dir: {type: text, default: x, doc: d}\n", "the name is taken"},
		"undocumented":          {plainWorkload + "params:\n  n: {type: int, default: 1}\n", "parameter n: doc is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("mine", "mine.yaml", []byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), "mine.yaml: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of mine.yaml with %q", err, c.want)
			}
		})
	}
}

// TestTemplatesThatCannotWorkAreRefusedBeforeAnythingRuns: also in places that
// are reached late.
func TestTemplatesThatCannotWorkAreRefusedBeforeAnythingRuns(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown name in a phase":   {"doc: d\nphases: [{name: run, command: [x, \"{{.nobody}}\"]}]\n", "nobody"},
		"unknown name in a service": {plainWorkload + "services: [{name: s, command: [\"{{.nobody}}\"], ready: {port: \"1\"}}]\n", "service s"},
		"unknown name in a file":    {plainWorkload + "files: {a.conf: \"{{.nobody}}\"}\n", "nobody"},
		"readiness of no port":      {plainWorkload + "services: [{name: s, command: [x], ready: {port: http}}]\n", `port "http" is not a number`},
		"readiness without time":    {plainWorkload + "services: [{name: s, command: [x], ready: {port: \"1\", timeout: soon}}]\n", "soon"},
		"no count":                  {"doc: d\nphases: [{repeat: many, phases: [{name: run, command: [x]}]}]\n", `repeat "many" is not a count`},
		"expect is no pattern":      {"doc: d\nphases: [{name: run, command: [x], expect: [\"(\"]}]\n", "expect"},
		"command comes out empty":   {"doc: d\nphases: [{name: run, command: [\"{{if false}}x{{end}}\"]}]\n", "comes out empty"},
		"sleep without time":        {"doc: d\nphases: [{sleep: \"{{.iteration}}h5\"}]\n", "is not a duration"},
		"inner phase":               {"doc: d\nphases: [{repeat: \"2\", as: i, phases: [{name: run, command: [\"{{.j}}\"]}]}]\n", "phase run"},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := parse("mine", "mine.yaml", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = w.Prepare(Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestValuesAreCheckedByTypeAndRange(t *testing.T) {
	w, err := parse("mine", "mine.yaml", []byte(plainWorkload+`params:
  n: {type: int, default: 1, min: 0, max: 9, doc: d}
  f: {type: float, default: 0.5, min: 0, doc: d}
  b: {type: bool, default: false, doc: d}
  d: {type: duration, default: null, doc: d}
  c: {type: choice, default: a, choices: [a, b], doc: d}
  p: {type: port, default: 0, doc: d}
`))
	if err != nil {
		t.Fatal(err)
	}
	for given, ok := range map[string]bool{
		"n=9": true, "n=10": false, "n=-1": false, "n=1.5": false, "n=": false, "n= 1": false,
		"f=1e3": true, "f=NaN": false, "f=-0.1": false, "f=Inf": false,
		"b=True": true, "b=yes": false, "d=1m30s": true, "d=": true, "d=90": false, "d=-1s": false,
		"c=b": true, "c=A": false, "p=65536": false, "p=-1": false, "q=1": false,
	} {
		name, value, _ := strings.Cut(given, "=")
		_, err := w.Prepare(Options{Set: map[string]string{name: value}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", given, err)
		}
	}
}

// TestBuiltinWorkloadsFitTogether: each is rehearsed with its defaults, and says
// what a user must know.
func TestBuiltinWorkloadsFitTogether(t *testing.T) {
	all, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		t.Run(w.Name, func(t *testing.T) {
			set := map[string]string{}
			for i := range w.Params {
				p := &w.Params[i]
				if p.Type == "port" {
					set[p.Name] = "0" // the default may be taken here
				}
				if p.Type == "int" && p.Min == nil {
					t.Errorf("%s: the least value is missing", p.Name)
				}
			}
			j := &Job{file: w, opts: Options{Set: set}}
			if err := j.assign(); err != nil {
				t.Fatal(err)
			}
			if err := j.rehearse(j.values.with("dir", os.TempDir()), w.Phases); err != nil {
				t.Error(err)
			}
			for _, n := range w.Needs {
				if n.Program != "" && n.Install == "" && n.Script == "" {
					t.Errorf("%s: no word about how to get it", n.Program)
				}
			}
			for _, s := range w.Services {
				if s.Ready.Port == "" {
					t.Errorf("service %s: ready when anybody answers", s.Name)
				}
			}
			for i := range w.Phases {
				mustMeasure(t, &w.Phases[i])
			}
		})
	}
}

// mustMeasure: what is measured has a unit, or is a count.
func mustMeasure(t *testing.T, p *Phase) {
	t.Helper()
	counts := []string{"operations", "requests", "retransmits", "records", "evicted", "lookups", "events", "errors_$1", "checksum", "${1}_operations"}
	for _, m := range p.Results {
		if m.Unit == "" && !strings.Contains(" "+strings.Join(counts, " ")+" ", " "+m.Metric+" ") {
			t.Errorf("result %s: the unit is missing", m.Metric)
		}
	}
	for i := range p.Phases {
		mustMeasure(t, &p.Phases[i])
	}
}
