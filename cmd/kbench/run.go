// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/kermit-trace/kermit/bench/process"
	"github.com/kermit-trace/kermit/bench/workload"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/internal/invoker"
	"github.com/urfave/cli/v2"
)

// runFlags say how a job runs.
func runFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.IntFlag{Name: "repeat", Usage: "run it `N` times, servers and all", Value: 1},
		&cli.IntFlag{Name: "warmup", Usage: "run it `N` times before those; their rows have a negative iteration"},
		&cli.DurationFlag{Name: "timeout", Usage: "end it after a `TIME` such as 10m, with exit code 124", DefaultText: "none"},
		&cli.StringFlag{Name: "cpus", Usage: "`LIST` of CPUs for its programs, such as 0-3,8", DefaultText: "all"},
	}, machineFlags()...)
}

// workloadFlags say how a workload that has a file runs.
func workloadFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "set", Usage: "give a parameter a value: `NAME=VALUE` (kbench show lists them)"},
		&cli.StringFlag{Name: "duration", Usage: "`TIME` such as 10s: short for --set duration=TIME"},
		benchmarkDirFlag(),
	}, runFlags()...)
}

func benchmarkDirFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "benchmark-dir", Usage: "`DIR` of programs that no package has", EnvVars: []string{"KBENCH_DIR"},
		Value: benchmarkDir(), DefaultText: "~/kernmlops-benchmark",
	}
}

// benchmarkDir is where users of KernMLOps have their programs, also those who
// called sudo.
func benchmarkDir() string {
	home, _ := os.UserHomeDir() // "": a path that is not there, which is said when a program is looked for
	if who, err := invoker.Find(); err == nil && who != nil && who.Home != "" {
		home = who.Home
	}
	return filepath.Join(home, "kernmlops-benchmark")
}

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a workload by its name, or by the path of its YAML file",
		ArgsUsage: "WORKLOAD",
		Description: "Examples:\n\n" +
			"   ktrace | kbench run faux --duration 10s | kparquet -o data/\n" +
			"   ktrace -k tcp_v4_rcv | kbench run iperf3 --set client_duration=5 --repeat 3 | kparquet -o data/\n" +
			"   kbench run ./mine.yaml </dev/null | kparquet -o data/\n\n" +
			"What the workload's programs print goes to stderr; figures that it gives become rows of the\n" +
			"table result, its phases rows of the table marker.",
		Flags: workloadFlags(),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Hint(command.Usage("name one workload"), "kbench list")
			}
			if c.Args().First() == "exec" {
				return command.Hint(command.Usage("exec needs a command"), "kbench exec -- CMD ARGS")
			}
			w, err := load(c.Args().First())
			if err != nil {
				return err
			}
			return perform(c, w, true)
		},
	}
}

// load reads a workload; an unknown name gets advice.
func load(name string) (*workload.Workload, error) {
	w, err := workload.Load(name)
	var unknown *workload.UnknownError
	switch {
	case errors.As(err, &unknown):
		return nil, command.Hint(command.Usage("%w", err), "%s", nearest(name))
	case err != nil:
		var key *workload.KeyError
		if errors.As(err, &key) {
			return nil, misnamed(err, key.Key, key.Known)
		}
		return nil, command.Usage("%w", err)
	}
	return w, nil
}

func nearest(name string) string {
	all, err := workload.Builtin()
	if err != nil {
		return err.Error()
	}
	names := []string{"exec"}
	for _, w := range all {
		names = append(names, w.Name)
	}
	if near := command.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return "kbench list shows all workloads; a path to a YAML file has a / in it or ends in .yaml"
}

// perform runs a workload as the flags say; its programs are known to the
// journal unless they are the user's own.
func perform(c *cli.Context, w *workload.Workload, journaled bool) error {
	if err := sinkable(); err != nil {
		return err
	}
	job, err := prepare(c, w)
	if err != nil {
		return err
	}
	knobs, err := job.Knobs()
	if err != nil {
		return command.Usage("%w", err)
	}
	m, err := machine(c, c.Command.Name+" "+w.Name, knobs, journaled)
	if err != nil {
		return err
	}
	if m != nil {
		job.Keep(m.Journal)
	}
	return session(job, m)
}

// prepare makes a job of a workload and the flags.
func prepare(c *cli.Context, w *workload.Workload) (*workload.Job, error) {
	set, err := assignments(c.StringSlice("set"))
	if err != nil {
		return nil, err
	}
	if c.IsSet("duration") {
		set["duration"] = c.String("duration")
	}
	for _, flag := range []string{"repeat", "warmup"} {
		if n := c.Int(flag); n < 0 || flag == "repeat" && n == 0 {
			return nil, command.Usage("--%s %d: out of range", flag, n)
		}
	}
	if c.Duration("timeout") < 0 {
		return nil, command.Usage("--timeout %s: must not be negative", c.Duration("timeout"))
	}
	terminal, _ := os.Open("/dev/tty") // stdin is the stream; cron has no terminal, which is no error
	job, err := w.Prepare(workload.Options{
		Set: set, Repeat: c.Int("repeat"), Warmup: c.Int("warmup"), Timeout: c.Duration("timeout"), CPUs: c.String("cpus"),
		BenchmarkDir: c.String("benchmark-dir"), Output: os.Stderr, Terminal: terminal,
	})
	if err != nil {
		return nil, explainWorkload(err)
	}
	return job, nil
}

// assignments reads NAME=VALUE.
func assignments(list []string) (map[string]string, error) {
	set := map[string]string{}
	for _, item := range list {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, command.Usage("--set %s: want NAME=VALUE", item)
		}
		set[name] = value
	}
	return set, nil
}

// explainWorkload gives an error of a workload its exit code and advice.
func explainWorkload(err error) error {
	var (
		look  *process.LookError
		need  *workload.NeedError
		param *workload.ParamError
	)
	switch {
	case errors.As(err, &look):
		return command.Exit(look.Code, err)
	case errors.As(err, &need):
		err = command.Exit(process.CodeNotFound, err)
		if hint := need.Hint(); hint != "" {
			err = command.Hint(err, "%s", hint)
		}
		return err
	case errors.As(err, &param):
		var names []string
		for _, p := range param.Known {
			names = append(names, p.Name)
		}
		err = command.Usage("%w", err)
		if near := command.Nearest(param.Param, names); near != "" && near != param.Param {
			return command.Hint(err, "did you mean %s?", near)
		}
		return command.Hint(err, "kbench show %s lists its parameters", param.Workload)
	}
	return command.Usage("%w", err)
}
