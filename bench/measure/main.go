// SPDX-License-Identifier: Apache-2.0

// Command measure says what recording page faults costs, beside perf:
//
//	go run ./bench/measure [-bin bin] [-rounds 5] [-faults 500000] [-threads 1] [-long]
//
// Each round runs bench/faults untraced, under perf record -a -e page-faults
// -c 1 -d, under ktrace -k page_fault | kparquet, under the same with kbench in
// between, under a ktrace that wants another process, and under empty programs
// (bench/floor), one after the other, so that a busy or throttled machine is so
// for all of them. Figures are medians over the rounds; what is added, medians
// of the differences within a round. Ratios hold between machines, absolutes do
// not.
//
// How each figure is taken
//
//   - Time of a fault: the faulting program's own clock around its touching.
//     Beside it that program's CPU time, which other load on the machine does
//     not stretch.
//   - Recorder's CPU: user + sys of the recorder from its start to its end
//     (wait4), so attaching and closing the files are in it, by the events it
//     recorded of the whole machine.
//   - Filtered out: a ktrace that wants another process judges each fault and
//     records none. Beside it, empty programs at the same points: what the kernel
//     takes to call any. In the program's own time those alone may be more than
//     half of what recording adds; with the recorder's CPU, which a fault that is
//     filtered out does not take, the sum is what an event costs the machine.
//   - Lost: perf's lost samples; ktrace's lost_ring + lost_other + missed, and
//     faults that the kernel counted for the program (ru_minflt) and nobody
//     recorded.
//   - Peak memory: ru_maxrss. The rings of ktrace count in it as far as they
//     were used, twice, because they are mapped twice in a row; what smaps says
//     about them is taken off, and printed.
//   - Attach: from the start of the program until it records: ktrace's complete
//     handshake, perf's answer to a ping.
//   - kbench in between: CPU of all its threads from the start of the faults to
//     their end. What it takes to start and end is printed apart.
//
// It needs root, perf, and the commands and bench/faults built into -bin.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options of a measurement.
type options struct {
	bin     string
	dir     string // for what recorders write
	rounds  int
	faults  int
	threads int
	long    bool
}

// longRun is how long the run of -long goes on at full rate.
const longRun = 30 * time.Second

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder of ktrace, kbench, kparquet and faults")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for recordings")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.IntVar(&o.faults, "faults", 500_000, "page faults of each run")
	flag.IntVar(&o.threads, "threads", 1, "threads that take them")
	flag.BoolVar(&o.long, "long", false, "also 30 s at full rate")
	flag.Parse()
	if err := measure(o); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func measure(o options) error {
	// Ctrl-C reaches the recorders by itself; what they left is removed here.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	dir, err := os.MkdirTemp(o.dir, "measure")
	if err != nil {
		return fmt.Errorf("make folder for recordings: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	o.dir = dir

	var all results
	for i := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, o.rounds)
		if err := all.round(o); err != nil {
			return err
		}
	}
	all.print(os.Stdout, o)
	if !o.long {
		return nil
	}
	ours := median(all.ktrace, func(s *sample) float64 { return s.program.NSPerFault })
	o.faults = int(float64(longRun.Nanoseconds()) / ours * float64(o.threads))
	fmt.Fprintf(os.Stderr, "%s at full rate: %d faults\n", longRun, o.faults)
	s, err := o.ktrace(false)
	if err != nil {
		return err
	}
	printLong(os.Stdout, s)
	return nil
}

// results are the samples of all rounds.
type results struct {
	untraced, perf, ktrace, kbench []*sample
	unwanted                       []*sample // every fault filtered out
	floor                          []*sample // empty programs
	four                           []*sample // attaching the four hooks, nothing else
}

func (r *results) round(o options) error {
	for _, step := range []struct {
		to  *[]*sample
		run func() (*sample, error)
	}{
		{&r.untraced, o.untraced},
		{&r.perf, o.perf},
		{&r.ktrace, func() (*sample, error) { return o.ktrace(false) }},
		{&r.kbench, func() (*sample, error) { return o.ktrace(true) }},
		{&r.unwanted, o.unwanted},
		{&r.floor, o.floor},
		{&r.four, o.four},
	} {
		s, err := step.run()
		if err != nil {
			return err
		}
		*step.to = append(*step.to, s)
	}
	return nil
}
