// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/kermit-trace/kermit/bench/process"
)

// Install runs the scripts of the programs that are missing, one after the
// other, in dir. It returns those for which there is no script.
func (w *Workload) Install(ctx context.Context, dir string, output io.Writer) ([]Need, error) {
	j := &Job{file: w, opts: Options{BenchmarkDir: dir}}
	if err := j.assign(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create directory: %w", err)
	}
	for {
		var need *NeedError
		if err := j.needs(); !errors.As(err, &need) {
			return nil, err
		}
		n := need.scripted()
		if n == nil {
			return need.Missing, nil
		}
		script := exec.CommandContext(ctx, "sh", "-eu", "-c", n.Script)
		script.Dir, script.Stdout, script.Stderr = dir, output, output
		if err := script.Run(); err != nil {
			return nil, fmt.Errorf("install %s: its script: %w", n.Program, err)
		}
		if _, err := process.Look(n.Program); err != nil {
			return nil, fmt.Errorf("install %s: its script has not made it: %w", n.Program, err)
		}
	}
}

func (e *NeedError) scripted() *Need {
	for i := range e.Missing {
		if e.Missing[i].Script != "" {
			return &e.Missing[i]
		}
	}
	return nil
}
