// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// markName is the variable of [Journal.Mark].
const markName = "KERMIT_RUN="

// How processes are waited for.
const (
	endEvery = 20 * time.Millisecond
	killWait = 2 * time.Second // after SIGKILL; a process in the kernel may take longer
)

// process is one that runs, or has not been waited for.
type process struct {
	pid, parent, group, session int
	start                       uint64 // clock ticks after boot
	zombie                      bool
	name                        string
}

// id tells a process from all others of this boot.
type id struct {
	pid   int
	start uint64
}

func (p process) id() id { return id{p.pid, p.start} }

// look reads a process from /proc.
func look(pid int) (process, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return process{}, err
	}
	s, err := p.Stat()
	if err != nil {
		return process{}, err
	}
	return process{
		pid: pid, parent: s.PPID, group: s.PGRP, session: s.Session,
		start: s.Starttime, zombie: s.State == "Z" || s.State == "X", name: s.Comm,
	}, nil
}

// everyone lists all processes.
func everyone() ([]process, error) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	all := make([]process, 0, len(procs))
	for _, p := range procs {
		if q, err := look(p.PID); err == nil { // else it has ended meanwhile
			all = append(all, q)
		}
	}
	return all, nil
}

// marked tells whether a process has the mark of a run in its environment. That
// of another user's process can be read by root alone; who is not root has
// started none.
func marked(pid int, mark string) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return false
	}
	env, err := p.Environ()
	return err == nil && slices.Contains(env, markName+mark)
}

// hunt is the search for a run's processes.
type hunt struct {
	run   *history
	known map[id]string // all found so far, with a name for users
}

// find returns the run's processes that have not ended; new ones are known
// afterwards.
func (h *hunt) find() ([]process, error) {
	all, err := everyone()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, p := range all {
		if _, ok := h.known[p.id()]; !ok {
			if name := h.judge(p, all); name != "" {
				h.known[p.id()] = name
			}
		}
	}
	for grew := true; grew; { // children of theirs that went their own way
		grew = false
		for _, p := range all {
			i := slices.IndexFunc(all, func(q process) bool { return q.pid == p.parent && h.known[q.id()] != "" })
			if i >= 0 && h.known[p.id()] == "" {
				h.known[p.id()] = title(p.name, p.pid)
				grew = true
			}
		}
	}
	if i := slices.IndexFunc(all, func(p process) bool { return p.pid == os.Getpid() }); i >= 0 && h.known[all[i].id()] != "" {
		return nil, fmt.Errorf("this process is one of them: restore from outside")
	}
	return slices.DeleteFunc(all, func(p process) bool {
		return p.zombie || h.known[p.id()] == ""
	}), nil
}

// judge returns a name for a process that is the run's, else "".
func (h *hunt) judge(p process, all []process) string {
	for _, s := range h.run.services {
		if s.PID == p.pid && s.Start == p.start {
			return s.String()
		}
		if s.Group == 0 || s.Group != p.group || s.Session != p.session || p.start < s.Start {
			continue
		}
		// The number is not given away while the group lasts; if its owner is
		// another, the group is a new one.
		leader := slices.IndexFunc(all, func(q process) bool { return q.pid == s.PID })
		if leader < 0 || all[leader].start == s.Start {
			return fmt.Sprintf("%s of %s", title(p.name, p.pid), s.Name)
		}
	}
	if p.start >= h.run.header.Start && marked(p.pid, h.run.header.Mark) {
		return title(p.name, p.pid)
	}
	return ""
}

func title(name string, pid int) string { return fmt.Sprintf("process %s (pid %d)", name, pid) }

func (s service) String() string { return title(s.Name, s.PID) }

// end ends a run's processes: SIGTERM, and SIGKILL for what remains.
func end(run *history) Report {
	h := &hunt{run: run, known: map[id]string{}}
	asked := map[id]unix.Signal{}
	for start := time.Now(); ; time.Sleep(endEvery) {
		alive, err := h.find()
		late := time.Since(start) - Grace
		switch {
		case err != nil:
			return Report{{Thing: "processes", Verdict: Failed, Detail: err.Error()}}
		case len(alive) == 0, late > killWait:
			return h.report(asked, alive)
		}
		first := len(asked) == 0
		for _, p := range alive {
			sig := unix.SIGTERM
			if late > 0 {
				sig = unix.SIGKILL
			}
			if asked[p.id()] != sig {
				send(p, sig)
				asked[p.id()] = sig
			}
		}
		if first {
			step("asked")
		}
	}
}

// report tells what has become of the processes that were asked to end.
func (h *hunt) report(asked map[id]unix.Signal, alive []process) Report {
	var report Report
	for who, sig := range asked {
		o := Outcome{Thing: h.known[who], Verdict: Ended}
		if sig == unix.SIGKILL {
			o.Verdict = Killed
		}
		if slices.ContainsFunc(alive, func(p process) bool { return p.id() == who }) {
			o.Verdict = Left
		}
		report = append(report, o)
	}
	slices.SortFunc(report, func(a, b Outcome) int { return strings.Compare(a.Thing, b.Thing) })
	return report
}

// send signals a process and no other that has its number by now. One that is
// stopped would not see a signal, so it is continued.
func send(p process, sig unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return // it has ended
	}
	defer func() { _ = unix.Close(fd) }()
	if now, err := look(p.pid); err != nil || now.start != p.start {
		return
	}
	_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	_ = unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
}
