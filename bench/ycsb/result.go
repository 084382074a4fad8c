// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result of a load or a run.
type Result struct {
	Elapsed    time.Duration
	Operations int64
	Seed       uint64

	Start   int64 // records at the start
	Created int64
	Deleted int64
	Evicted int64
	Actual  int64 // records at the end
	Counted bool  // whether Actual and Evicted are known

	Errors     int64 // operations that the server refused
	FirstError error

	tallies [kinds]tally
}

// Expected number of records at the end.
func (r *Result) Expected() int64 { return r.Start + r.Created - r.Deleted - r.Evicted }

// Throughput in operations a second.
func (r *Result) Throughput() float64 { return float64(r.Operations) / r.Elapsed.Seconds() }

func (r *Result) collect(s *session, workers []*worker) {
	r.Elapsed = time.Since(s.began)
	r.Operations = sum(workers)
	for _, w := range workers {
		r.Created += w.created
		r.Deleted += w.deleted
		for k := range w.tallies {
			r.tallies[k].merge(&w.tallies[k])
		}
	}
	for k := range r.tallies {
		if kind(k) != opReadModifyWrite { // its parts have been counted
			r.Errors += r.tallies[k].errors
		}
	}
	if s.reply != nil {
		r.FirstError = s.reply
	}
}

// percentiles that are printed, with YCSB's names.
var percentiles = []struct {
	name string
	at   float64
}{{"50th", 50}, {"95th", 95}, {"99th", 99}, {"99.9", 99.9}}

// Print writes the result as YCSB does: [SECTION], metric, value.
func (r *Result) Print(to io.Writer) error {
	w := bufio.NewWriter(to)
	line := func(section, metric string, value any) {
		_, _ = fmt.Fprintf(w, "[%s], %s, %v\n", section, metric, value) // Flush says what went wrong
	}
	line("OVERALL", "RunTime(ms)", r.Elapsed.Milliseconds())
	line("OVERALL", "Throughput(ops/sec)", fmt.Sprintf("%.3f", r.Throughput()))
	line("OVERALL", "Operations", r.Operations)
	line("OVERALL", "Seed", r.Seed)
	for k := range r.tallies {
		r.tallies[k].print(kind(k).String(), line)
	}
	line("DBSIZE", "Start", r.Start)
	line("DBSIZE", "Created", r.Created)
	line("DBSIZE", "Deleted", r.Deleted)
	if r.Counted {
		line("DBSIZE", "Evicted", r.Evicted)
		line("DBSIZE", "Expected", r.Expected())
		line("DBSIZE", "Actual", r.Actual)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

func (t *tally) print(name string, line func(section, metric string, value any)) {
	t.done.print(name, line)
	for _, status := range []struct {
		name  string
		count int64
	}{{"OK", t.ok}, {"NOT_FOUND", t.notFound}, {"ERROR", t.errors}} {
		if status.count > 0 {
			line(name, "Return="+status.name, status.count)
		}
	}
	t.failed.print(name+"-FAILED", line)
}

func (t *times) print(name string, line func(section, metric string, value any)) {
	printLatencies(name, t.service, line)
	printLatencies("Intended-"+name, t.intended, line)
}

func printLatencies(section string, h *hdrhistogram.Histogram, line func(section, metric string, value any)) {
	if h == nil {
		return
	}
	line(section, "Operations", h.TotalCount())
	line(section, "AverageLatency(us)", fmt.Sprintf("%.3f", h.Mean()))
	line(section, "MinLatency(us)", h.Min())
	line(section, "MaxLatency(us)", h.Max())
	for _, p := range percentiles {
		line(section, p.name+"PercentileLatency(us)", h.ValueAtPercentile(p.at))
	}
}
