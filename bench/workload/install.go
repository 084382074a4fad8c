// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

// stagePrefix begins the names of folders in which something is being built.
const stagePrefix = ".kbench-install-"

// Install runs the scripts of the programs that are missing, one after the
// other. A script builds in an empty folder, and says nothing of where that is;
// what it leaves there becomes dir/NAME of the workload, whole or not at all.
// Install returns the needs for which there is no script.
func (w *Workload) Install(ctx context.Context, dir string, output io.Writer) ([]Need, error) {
	j := &Job{file: w, opts: Options{BenchmarkDir: dir}}
	if err := j.assign(); err != nil {
		return nil, err
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
		if err := n.install(ctx, dir, filepath.Join(dir, w.Name), output); err != nil {
			return nil, fmt.Errorf("install %s: %w", n.Program, err)
		}
	}
}

// install builds a program aside and puts it in its place.
func (n *Need) install(ctx context.Context, dir, place string, output io.Writer) error {
	if _, err := os.Lstat(place); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there, without the program: move it away", place)
	}
	if err := invoker.MakeDirs(dir); err != nil {
		return fmt.Errorf("create folder: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	stale, err := filepath.Glob(filepath.Join(dir, stagePrefix+"*"))
	if err != nil {
		return fmt.Errorf("look for what an earlier run left: %w", err)
	}
	for _, s := range stale {
		if err := os.RemoveAll(s); err != nil {
			return fmt.Errorf("remove what an earlier run left: %w", err)
		}
	}
	stage, err := os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		return fmt.Errorf("create folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(stage) }() // the next run removes it, too
	if err := invoker.Give(stage); err != nil {
		return fmt.Errorf("hand folder over: %w", err)
	}
	if err := n.build(ctx, stage, output); err != nil {
		return err
	}
	if err := os.Chmod(stage, 0o755); err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	if err := os.Rename(stage, place); err != nil {
		return fmt.Errorf("put it in its place: %w", err)
	}
	if !n.met() {
		return errors.Join(errors.New("its script has not made it"), os.RemoveAll(place))
	}
	return nil
}

// build runs the script, under sudo as the user who called it; all that it
// started ends with it.
func (n *Need) build(ctx context.Context, stage string, output io.Writer) error {
	who, err := invoker.Find()
	if err != nil {
		return err
	}
	p, err := process.Start(process.Spec{
		Args: []string{"sh", "-eu", "-c", n.Script}, Dir: stage, Stdout: output, Stderr: output, Bound: true, As: who,
	})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	code := p.Wait()
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case code != 0:
		return fmt.Errorf("its script ended with exit code %d", code)
	}
	return nil
}

// lockFolder makes sure that nobody else installs there.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: another kbench installs there", dir)
	}
	return f, nil
}

func (e *NeedError) scripted() *Need {
	for i := range e.Missing {
		if e.Missing[i].Script != "" {
			return &e.Missing[i]
		}
	}
	return nil
}
