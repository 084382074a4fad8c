// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Verdict on a source.
type Verdict string

// The verdicts of [Diagnose].
const (
	Used     Verdict = "works, used"
	Works    Verdict = "works"
	Refused  Verdict = "refused"
	Untested Verdict = "not tried"
)

// Report is what [Diagnose] found.
type Report struct {
	Machine []Fact
	Hooks   []HookReport
}

// Fact about the machine.
type Fact struct{ Name, Value string }

// HookReport tells of a hook's sources, in order of preference.
type HookReport struct {
	Name    string
	Sources []SourceReport
}

// SourceReport tells of one source.
type SourceReport struct {
	Name         string
	Verdict      Verdict
	Why, Help    string
	Log          string // the verifier's
	Unobservable []string
}

// OK tells whether every hook has a way in, as far as was tried.
func (r *Report) OK() bool {
	for _, h := range r.Hooks {
		ok := false
		for _, s := range h.Sources {
			ok = ok || s.Verdict != Refused
		}
		if !ok {
			return false
		}
	}
	return true
}

// Diagnose tries every source of every room, if it may, each for a moment.
func Diagnose(rooms []*Room) *Report {
	r := &Report{Machine: machine()}
	allowed := privileged()
	kernel, errBTF := btf.LoadKernelSpec()
	for _, room := range rooms {
		h := HookReport{Name: room.Name}
		used := false
		for i := range room.Sources {
			s := &room.Sources[i]
			report := SourceReport{Name: s.Name, Verdict: Untested, Unobservable: s.Unobservable}
			switch {
			case errBTF != nil:
				report.Verdict, report.Why = Refused, "the kernel's BTF cannot be read"
				report.Help = "a kernel with CONFIG_DEBUG_INFO_BTF=y"
			case allowed != nil:
				report.Why = allowed.Error()
				if missing := missingTracepoints(room, s, kernel); missing != "" {
					report.Verdict, report.Why = Refused, missing
				} else {
					report.Help = "sudo ktrace doctor tries it"
				}
			default:
				report.try(room, s)
			}
			if report.Verdict == Works && !used {
				report.Verdict, used = Used, true
			}
			h.Sources = append(h.Sources, report)
		}
		r.Hooks = append(r.Hooks, h)
	}
	return r
}

// try attaches the source and detaches it at once.
func (s *SourceReport) try(room *Room, source *Source) {
	session, err := Open(Options{
		Rooms: []*Room{room}, Source: map[string]string{room.Name: source.Name},
		RingSize: 1 << 20, Log: func(string, ...any) {},
	})
	if err == nil {
		session.Close()
		s.Verdict = Works
		return
	}
	s.Verdict = Refused
	var none *NoWay
	if errors.As(err, &none) && len(none.Errs) == 1 {
		err = none.Errs[0]
	}
	s.Why = strings.TrimPrefix(explain(err), source.Name+": ")
	s.Help = help(err)
	var v *ebpf.VerifierError
	if errors.As(err, &v) {
		s.Log = fmt.Sprintf("%+v", v)
	}
}

// help knows what would let a source in.
func help(err error) string {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return "a capability is missing, or the kernel's lockdown or LSM forbids it (dmesg may tell)"
	case errors.Is(err, ebpf.ErrNotSupported):
		return "a newer kernel, or one built with the option"
	case errors.Is(err, btf.ErrNotFound):
		return "this kernel has no such tracepoint or type"
	}
	return ""
}

// missingTracepoints names BTF tracepoints that the source needs and the
// kernel does not have. Reading BTF takes no privilege.
func missingTracepoints(room *Room, source *Source, kernel *btf.Spec) string {
	for _, name := range source.Programs {
		p := room.spec.Programs[name]
		if p.Type != ebpf.Tracing {
			continue
		}
		var t *btf.Typedef
		if err := kernel.TypeByName("btf_trace_"+p.AttachTo, &t); err != nil {
			return "this kernel has no tracepoint " + p.AttachTo
		}
	}
	return ""
}

// machine states the facts on which attaching depends.
func machine() []Fact {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a valid pointer
	capability := "CAP_BPF and CAP_PERFMON are there"
	if err := privileged(); err != nil {
		capability = err.Error()
	}
	mounted := "not mounted (ktrace opens its own)"
	if _, err := os.Stat("/sys/kernel/tracing/events"); err == nil {
		mounted = "mounted"
	} else if errors.Is(err, os.ErrPermission) {
		mounted = "not readable"
	}
	types := "/sys/kernel/btf/vmlinux"
	if _, err := os.Stat(types); err != nil {
		types = "missing: CONFIG_DEBUG_INFO_BTF=n"
	}
	lockdown := "none"
	if data, err := os.ReadFile("/sys/kernel/security/lockdown"); err == nil {
		lockdown = strings.TrimSpace(string(data))
	}
	kprobes := "no"
	if _, err := os.Stat("/sys/bus/event_source/devices/kprobe"); err == nil {
		kprobes = "yes"
	}
	return []Fact{
		{"kernel", unix.ByteSliceToString(u.Release[:])},
		{"privilege", capability},
		{"types (BTF)", types},
		{"tracefs", mounted},
		{"kprobes", kprobes},
		{"lockdown", lockdown},
	}
}
