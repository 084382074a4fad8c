// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Job is what runs while a tracer records.
type Job interface {
	// Workload is the name under which the recording is filed.
	Workload() string
	// Config is what the job was told, to be written as YAML.
	Config() any
	// Command is the job's command line for a shell, "" without one.
	Command() string
	// Start starts the job.
	Start() error
	// PID is the job's process after Start, 0 without one.
	PID() int
	// Signal asks the job to end.
	Signal(os.Signal)
	// Kill ends the job.
	Kill()
	// Wait waits until a started job has ended and returns its exit code.
	Wait() int
}

// Exit codes of a session that are not its job's, those of env(1), nohup(1)
// and timeout(1).
const (
	CodeFailed        = 125 // the session itself failed
	CodeNotExecutable = 126 // the job's program was found but cannot run
	CodeNotFound      = 127 // the job's program was not found
	codeSignal        = 128 // plus the signal that ended the job
)

// Workloads lists what can run, by name, with one line each.
var Workloads = []struct{ Name, Doc string }{
	{"exec", "any command: kbench exec -- CMD ARGS"},
	{"faux", "nothing: records until END is typed, a signal comes or --duration is over"},
}

// name is what a workload may be called: it becomes a folder of the dataset.
var name = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$`)

// CheckName refuses a name that cannot be a folder of the dataset.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return fmt.Errorf("workload name %q: letters, digits and any of _ . + - after the first, at most 100", s)
	}
	return nil
}

// nameOf makes a name of any text.
func nameOf(s string) string {
	clean := strings.Map(func(r rune) rune {
		if strings.ContainsRune("_.+-", r) || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, s)
	if strings.ContainsAny(clean[:1], ".+-") {
		clean = "_" + clean
	}
	return clean[:min(len(clean), 100)]
}
