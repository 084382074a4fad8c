// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/kermit-trace/kermit/bench/knob"
)

// Restore undoes what dead runs have left, for all journals of a folder. Live
// runs are left alone and named. Killed at any moment, it can be run again. An
// error means that nothing was looked at; what could not be undone is in the
// report.
func Restore(ctx context.Context, dir string) (Report, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no run was ever here
	}
	f, err := enter(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer f.leave()
	entries, err := f.survey("")
	if err != nil {
		return nil, err
	}
	report := undoDead(entries)
	for _, e := range entries {
		if e.file == nil && e.err == nil && e.run.header != nil {
			report = append(report, Outcome{Run: e.run.header.String(), Thing: "run", Verdict: Live, Detail: "left alone"})
		}
	}
	return report, nil
}

// undoDead undoes what the dead runs among the entries have left, and closes
// their journals.
func undoDead(entries []entry) Report {
	var report Report
	claims := claimed(entries)
	for i := range entries {
		e := &entries[i]
		switch {
		case e.err != nil:
			report = append(report, Outcome{Run: e.path, Thing: "journal", Verdict: Failed, Detail: "read: " + e.err.Error()})
		case e.file != nil:
			report = append(report, undo(e, claims)...)
		}
		if e.file != nil {
			_ = e.file.Close()
		}
	}
	return report
}

// undo undoes a run and removes its journal, unless something is left that
// could be undone another time. Files that live runs have claimed are not
// touched.
func undo(e *entry, claims map[string]string) Report {
	var report Report
	now, err := here()
	switch {
	case e.run.header == nil:
		return removed(e, nil)
	case err != nil:
		return Report{{Run: e.run.header.String(), Thing: "journal", Verdict: Failed, Detail: err.Error()}}
	case e.run.header.BootID != now.BootID:
		return removed(e, Report{{Run: e.run.header.String(), Thing: "journal", Verdict: Stale,
			Detail: "of another boot: nothing of it is left"}})
	}
	run := *e.run
	if run.header.PIDNS != now.PIDNS {
		run.services = nil // their numbers mean others here; the mark holds everywhere
	}
	report = end(&run)
	step("stopped")
	report = append(report, removeFolders(e.run)...)
	report = append(report, putBack(e.run, now, claims)...)
	for i := range report {
		report[i].Run = e.run.header.String()
	}
	if slices.ContainsFunc(report, func(o Outcome) bool { return o.Verdict == Failed }) {
		return report
	}
	return removed(e, report)
}

// removeFolders removes the folders that a run has made for itself.
func removeFolders(run *history) Report {
	var report Report
	for _, path := range run.folders {
		o := Outcome{Thing: "folder " + path, Verdict: Removed}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			o.Verdict, o.Detail = Failed, err.Error()
		}
		report = append(report, o)
	}
	return report
}

// removed removes the journal of a run that is undone.
func removed(e *entry, report Report) Report {
	if err := e.remove(); err != nil {
		name := e.path
		if e.run.header != nil {
			name = e.run.header.String()
		}
		return append(report, Outcome{Run: name, Thing: "journal", Verdict: Failed, Detail: err.Error()})
	}
	step("removed")
	return report
}

// putBack puts back a run's files, the last that it changed first.
func putBack(run *history, now *header, claims map[string]string) Report {
	var report Report
	done := map[string]bool{}
	for i, last := range slices.Backward(run.changes) {
		if done[last.File] {
			continue
		}
		done[last.File] = true
		first := run.changes[slices.IndexFunc(run.changes, func(c knob.Change) bool { return c.File == last.File })]
		o := Outcome{Thing: "knob " + last.Name}
		if last.File != last.Name {
			o.Thing += " (" + last.File + ")"
		}
		by, busy := claims[last.File]
		switch {
		case busy:
			o.Verdict, o.Detail = Failed, "in use by "+by
		case strings.HasPrefix(last.File, "/proc/sys/net/") && run.header.NetNS != now.NetNS:
			o.Verdict, o.Detail = Foreign, "of another network namespace"
		default:
			o.Verdict, o.Detail = putBackFile(first.Old, last, i < run.held)
		}
		if o.Verdict != Untouched {
			report = append(report, o)
		}
		step("put back " + last.Name)
	}
	return report
}

// putBackFile gives a file its old value, if it has the one that the last
// change gave it or was about to replace, or any, where that change is not known
// to have been held.
func putBackFile(old string, last knob.Change, held bool) (Verdict, string) {
	is := func(value string) (bool, string, error) {
		state, err := knob.Read(last.File)
		return knob.Same(state.Value, value), state.Value, err
	}
	back, present, err := is(old)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Gone, "its file has gone"
	case err != nil:
		return Failed, err.Error()
	case back:
		return Untouched, ""
	case held && !knob.Same(present, last.New) && !knob.Same(present, last.Old):
		return Foreign, fmt.Sprintf("is %s: changed since, by another than the run, which set %s; it was %s", present, last.New, old)
	}
	if err := knob.Write(last.File, old); err != nil {
		return Failed, fmt.Sprintf("is %s, was %s: %v", present, old, err)
	}
	if back, now, err := is(old); err != nil || !back {
		return Failed, fmt.Sprintf("is %s though %s was written: %v", now, old, err)
	}
	return Restored, fmt.Sprintf("%s, was %s during the run", old, present)
}

// say writes a report to a log.
func say(log io.Writer, r Report) {
	for _, o := range r {
		_, _ = fmt.Fprintln(log, o)
	}
}
