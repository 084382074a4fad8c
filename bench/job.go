// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/kermit-trace/kermit/bench/process"
)

// Job is what runs while a tracer records.
type Job interface {
	// Workload is the name under which the recording is filed.
	Workload() string
	// Config is what the job was told, to be written as YAML.
	Config() any
	// Command is the job's command line for a shell, "" without one.
	Command() string
	// Run runs the job to its end, once, and returns its exit code. The error
	// says what went wrong beside that code: a program that could not be
	// started, a server that did not come up.
	Run(Recorder) (code int, err error)
	// Signal asks the job to end.
	Signal(os.Signal)
	// Kill ends the job.
	Kill()
}

// Recorder takes what a job tells of itself, as rows of the stream.
type Recorder interface {
	// Mark adds a row to the table marker.
	Mark(Mark)
	// Result adds a row to the table result.
	Result(Result)
	// Started says, once, that the job's preparation is over.
	Started()
}

// Mark is something that a job did.
type Mark struct {
	Name      string // "start" and "end" of a phase; else what happened
	Phase     string
	Iteration int            // from 0; below: a warm-up
	ExitCode  int            // of what ended, as a shell gives it; -1 unless something did
	Attrs     map[string]any // more facts
}

// Result is a figure that a job's programs gave of themselves.
type Result struct {
	Phase     string
	Iteration int
	Metric    string
	Value     float64
	Unit      string
}

// Exit codes of a session that are not its job's, those of env(1), nohup(1)
// and timeout(1).
const (
	CodeTimeout       = 124 // the job took too long
	CodeFailed        = 125 // the session itself failed
	CodeNotExecutable = process.CodeNotExecutable
	CodeNotFound      = process.CodeNotFound
)

// name is what a workload may be called: it becomes a folder of the dataset.
var name = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$`)

// CheckName refuses a name that cannot be a folder of the dataset.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return fmt.Errorf("workload name %q: letters, digits and any of _ . + - after the first, at most 100", s)
	}
	return nil
}

// NameOf makes a workload's name of any text.
func NameOf(s string) string {
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
