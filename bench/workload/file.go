// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/knob"
	"go.yaml.in/yaml/v3"
)

// Workload is one file.
type Workload struct {
	Name      string            `yaml:"-"`         // of the file, without .yaml
	Doc       string            `yaml:"doc"`       // one line
	KernMLOps string            `yaml:"kernmlops"` // its name in KernMLOps' files; "": the same
	Root      bool              `yaml:"root"`      // all its programs keep root's rights
	Needs     []Need            `yaml:"needs"`
	Params    Params            `yaml:"params"`
	Knobs     knob.Set          `yaml:"knobs"` // settings of the machine; their values are templates
	Files     map[string]string `yaml:"files"`
	Services  []Service         `yaml:"services"`
	Phases    []Phase           `yaml:"phases"`

	command []string // of one that is the user's own command
}

// Need is a program, or a file, without which a workload cannot run.
type Need struct {
	Program string `yaml:"program"` // name or path: a template
	File    string `yaml:"file"`    // path: a template
	Install string `yaml:"install"` // the command that installs it
	Script  string `yaml:"script"`  // what `kbench install` runs to build it: a shell script
	If      string `yaml:"if"`
}

// Service is a server that runs while the phases do.
type Service struct {
	Name    string   `yaml:"name"`
	If      string   `yaml:"if"`
	Command []string `yaml:"command"`
	Ready   Ready    `yaml:"ready"`
	OnStop  []string `yaml:"on_stop"`
	Stop    string   `yaml:"stop"`
	Root    bool     `yaml:"root"`
}

// Ready says how to tell that a service can be used.
type Ready struct {
	Port    string   `yaml:"port"`
	HTTP    string   `yaml:"http"`
	Command []string `yaml:"command"`
	Output  string   `yaml:"output"`
	Timeout string   `yaml:"timeout"`
}

// Phase is a part of a workload.
type Phase struct {
	Name    string    `yaml:"name"`
	If      string    `yaml:"if"`
	Setup   bool      `yaml:"setup"`
	Command []string  `yaml:"command"`
	Root    bool      `yaml:"root"`
	Wait    *string   `yaml:"wait"`
	Sleep   string    `yaml:"sleep"`
	Quiet   bool      `yaml:"quiet"`
	Accept  []int     `yaml:"accept"`
	Expect  []string  `yaml:"expect"`
	Results []Measure `yaml:"results"`

	Repeat string  `yaml:"repeat"`
	As     string  `yaml:"as"`
	Phases []Phase `yaml:"phases"`
}

// Measure is where a figure stands in a phase's output.
type Measure struct {
	Metric   string `yaml:"metric"`
	Unit     string `yaml:"unit"`
	JSON     string `yaml:"json"`
	Pattern  string `yaml:"pattern"`
	Value    string `yaml:"value"`
	Optional bool   `yaml:"optional"`
}

// Load reads a workload: a path, or the name of a built-in one.
func Load(name string) (*Workload, error) {
	if strings.ContainsRune(name, '/') || strings.HasSuffix(name, ".yaml") {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read workload: %w", err)
		}
		return parse(strings.TrimSuffix(filepath.Base(name), ".yaml"), name, data)
	}
	data, err := bench.Workloads.ReadFile("workloads/" + name + ".yaml")
	if err != nil {
		return nil, &UnknownError{Name: name}
	}
	return parse(name, name+".yaml", data)
}

// UnknownError is the error for a name that no built-in workload has.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("unknown workload %q", e.Name) }

// Builtin returns all built-in workloads, by name.
func Builtin() ([]*Workload, error) {
	entries, err := bench.Workloads.ReadDir("workloads")
	if err != nil {
		return nil, fmt.Errorf("list workloads: %w", err)
	}
	var all []*Workload
	for _, e := range entries {
		w, err := Load(strings.TrimSuffix(e.Name(), ".yaml"))
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// parse reads a file; errors name it and the line.
func parse(name, path string, data []byte) (*Workload, error) {
	w := &Workload{Name: name}
	if err := bench.CheckName(name); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(w); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, fmt.Errorf("%s: %w", path, plain(err, data))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", path)
	}
	if err := w.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// check finds what the types of the file cannot say.
func (w *Workload) check() error {
	if w.Doc == "" {
		return errors.New("doc is missing")
	}
	if len(w.Phases) == 0 {
		return errors.New("it has no phases")
	}
	for i, n := range w.Needs {
		if (n.Program == "") == (n.File == "") || n.File != "" && n.Script != "" {
			return fmt.Errorf("need %d: wants a program, which a script may build, or a file", i+1)
		}
	}
	seen := map[string]bool{}
	for i := range w.Services {
		s := &w.Services[i]
		if s.Name == "" || len(s.Command) == 0 || seen[s.Name] {
			return fmt.Errorf("service %d (%q): needs a name of its own and a command", i+1, s.Name)
		}
		seen[s.Name] = true
		if filepath.Base(s.Name) != s.Name {
			return fmt.Errorf("service %q: its name becomes a file's, its log's: no / in it", s.Name)
		}
		if s.Ready.Port == "" && (len(s.Ready.Command) == 0 || s.Ready.HTTP != "") {
			return fmt.Errorf("service %s: needs ready: a port or a command, and with http a port", s.Name)
		}
		if _, err := signalOf(s.Stop); err != nil {
			return fmt.Errorf("service %s: stop: %w", s.Name, err)
		}
		if _, err := regexp.Compile(s.Ready.Output); err != nil {
			return fmt.Errorf("service %s: ready: output: %w", s.Name, err)
		}
	}
	return checkPhases(w.Phases)
}

func checkPhases(phases []Phase) error {
	for i := range phases {
		p := &phases[i]
		kinds := 0
		for _, is := range []bool{len(p.Command) > 0, p.Wait != nil, p.Sleep != "", len(p.Phases) > 0} {
			if is {
				kinds++
			}
		}
		switch {
		case kinds != 1:
			return fmt.Errorf("phase %d (%q): needs one of command, wait, sleep and phases", i+1, p.Name)
		case len(p.Phases) == 0 && p.Name == "" && p.Sleep == "":
			return fmt.Errorf("phase %d: needs a name", i+1)
		case p.Repeat != "" && len(p.Phases) == 0:
			return fmt.Errorf("phase %s: repeat needs phases", p.Name)
		case p.Root && len(p.Command) == 0:
			return fmt.Errorf("phase %s: root needs a command", p.Name)
		}
		for _, m := range p.Results {
			if err := m.check(); err != nil {
				return fmt.Errorf("phase %s: results: %w", p.Name, err)
			}
		}
		if err := checkPhases(p.Phases); err != nil {
			return err
		}
	}
	return nil
}
