// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"

	"github.com/kermit-trace/kermit/stream"
)

const mb = 1e6

// What is to be reached; limits are inclusive.
const (
	maxCPU     = 0.5  // recorder, us an event
	maxDisk    = 6    // bytes an event
	maxKtrace  = 64   // MB beside the rings
	maxParquet = 128  // MB
	maxAttach  = 500  // ms, the four hooks
	maxBetween = 0.02 // kbench, us an event
)

// none stands where there is no figure.
var none = math.NaN()

func median(samples []*sample, of func(*sample) float64) float64 {
	all := make([]float64, len(samples))
	for i, s := range samples {
		all[i] = of(s)
	}
	return middle(all)
}

func middle(all []float64) float64 {
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}

// difference is the median of the rounds' differences.
func difference(samples, from []*sample, of func(*sample) float64) float64 {
	all := make([]float64, len(samples))
	for i, s := range samples {
		all[i] = of(s) - of(from[i])
	}
	return middle(all)
}

// line is one line of the report.
type line struct {
	what, unit           string
	untraced, perf, ours float64
	limit                float64 // for ours; none: nothing to reach
	relative             bool    // the limit is perf's figure
}

func (l line) print(w io.Writer) {
	cell := func(v float64) string {
		switch {
		case math.IsNaN(v):
			return "-"
		case math.Abs(v) >= 100 || v == math.Trunc(v):
			return fmt.Sprintf("%.0f", v)
		}
		return fmt.Sprintf("%.3g", v)
	}
	ratio, verdict := "-", ""
	if !math.IsNaN(l.perf) && l.perf != 0 {
		ratio = fmt.Sprintf("%.2f x", l.ours/l.perf)
	}
	if !math.IsNaN(l.limit) {
		verdict = "<= " + cell(l.limit)
		if l.relative {
			verdict = "<= perf's"
		}
		if l.ours <= l.limit {
			verdict += "  ok"
		} else {
			verdict += "  short"
		}
	}
	_, _ = fmt.Fprintf(w, "%-34s %-8s %9s %9s %9s %9s  %s\n", l.what, l.unit, cell(l.untraced), cell(l.perf), cell(l.ours), ratio, verdict)
}

func (r *results) print(w io.Writer, o options) {
	h := stream.NewHeader("")
	_, _ = fmt.Fprintf(w, "page faults, %d a run by %d thread(s); medians of %d rounds; Linux %s, %s, %d CPUs\n\n",
		o.faults, o.threads, o.rounds, h.Kernel, h.Arch, runtime.NumCPU())
	_, _ = fmt.Fprintf(w, "%-34s %-8s %9s %9s %9s %9s  %s\n", "", "", "untraced", "perf", "ktrace", "to perf", "to reach")
	for _, l := range slices.Concat(r.speed(), r.volume(), r.attaching()) {
		l.print(w)
	}
}

func (r *results) speed() []line {
	wall := func(s *sample) float64 { return s.program.NSPerFault }
	own := func(s *sample) float64 { return s.program.cpuPerFault() }
	perEvent := func(of func(*sample) float64) func(*sample) float64 {
		return func(s *sample) float64 { return of(s) / s.events / 1e3 }
	}
	recorder := perEvent(func(s *sample) float64 { return s.recorder.cpu })
	writer := perEvent(func(s *sample) float64 { return s.writer.cpu })
	both := perEvent(func(s *sample) float64 { return s.recorder.cpu + s.writer.cpu })
	between := perEvent(func(s *sample) float64 { return s.between })
	lines := slices.Concat(r.time("time of a fault", wall), r.time("CPU time of a fault", own))
	added := func(samples []*sample) float64 { return difference(samples, r.untraced, own) }
	perf, ours := added(r.perf)+1e3*median(r.perf, recorder), added(r.ktrace)+1e3*median(r.ktrace, both)
	return append(lines, []line{
		{"CPU time added, recorder's and all", "ns/event", none, perf, ours, perf, true},
		{"  when it is filtered out", "ns/event", none, none, added(r.unwanted), ours / 2, false},
		{"recorder's CPU", "us/event", none, median(r.perf, recorder), median(r.ktrace, both), maxCPU, false},
		{"  ktrace", "us/event", none, none, median(r.ktrace, recorder), none, false},
		{"  kparquet", "us/event", none, none, median(r.ktrace, writer), none, false},
		{"kbench in between", "us/event", none, none, median(r.kbench, between), maxBetween, false},
		{"  its start and end", "ms", none, none, median(r.kbench, func(s *sample) float64 { return s.fixed / 1e6 }), none, false},
	}...)
}

// time of a fault by one clock, and what is added to it. Where empty programs
// add more than half of what recording adds, no filter can cost less than half.
func (r *results) time(what string, of func(*sample) float64) []line {
	perf, ours := difference(r.perf, r.untraced, of), difference(r.ktrace, r.untraced, of)
	return []line{
		{what, "ns", median(r.untraced, of), median(r.perf, of), median(r.ktrace, of), none, false},
		{"  added", "ns", none, perf, ours, perf, true},
		{"  added when it is filtered out", "ns", none, none, difference(r.unwanted, r.untraced, of), ours / 2, false},
		{"    by empty programs", "ns", none, none, difference(r.floor, r.untraced, of), none, false},
		{"    by the filter beside them", "ns", none, none, difference(r.unwanted, r.floor, of), none, false},
	}
}

func (r *results) volume() []line {
	lost := func(samples []*sample) (sum float64) {
		for _, s := range samples {
			sum += s.lost
		}
		return sum
	}
	disk := func(s *sample) float64 { return s.bytes / s.events }
	return []line{
		{"events lost, all rounds", "", none, lost(r.perf), lost(r.ktrace), 0, false},
		{"on disk", "B/event", none, median(r.perf, disk), median(r.ktrace, disk), maxDisk, false},
		{"peak memory, perf and ktrace", "MB", none, median(r.perf, memory), median(r.ktrace, besideRings), maxKtrace, false},
		{"  its rings, beside that", "MB", none, none, median(r.ktrace, func(s *sample) float64 { return s.rings / mb }), none, false},
		{"peak memory, kparquet", "MB", none, none, median(r.ktrace, writerMemory), maxParquet, false},
	}
}

func memory(s *sample) float64       { return s.recorder.memory / mb }
func besideRings(s *sample) float64  { return (s.recorder.memory - s.rings) / mb }
func writerMemory(s *sample) float64 { return s.writer.memory / mb }

func (r *results) attaching() []line {
	ms := func(s *sample) float64 { return s.attach / 1e6 }
	return []line{
		{"attach page faults", "ms", none, median(r.perf, ms), median(r.ktrace, ms), none, false},
		{"attach the four hooks", "ms", none, none, median(r.four, ms), maxAttach, false},
	}
}

// printLong prints the run at full rate.
func printLong(w io.Writer, s *sample) {
	_, _ = fmt.Fprintf(w, "\n%s at full rate, %.0f events recorded\n", longRun, s.events)
	for _, l := range []line{
		{"time of a fault", "ns", none, none, s.program.NSPerFault, none, false},
		{"events lost", "", none, none, s.lost, 0, false},
		{"recorder's CPU", "us/event", none, none, (s.recorder.cpu + s.writer.cpu) / s.events / 1e3, maxCPU, false},
		{"on disk", "B/event", none, none, s.bytes / s.events, maxDisk, false},
		{"peak memory, ktrace beside rings", "MB", none, none, besideRings(s), maxKtrace, false},
		{"peak memory, kparquet", "MB", none, none, writerMemory(s), maxParquet, false},
	} {
		l.print(w)
	}
}
