// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Verdict on a source.
type Verdict string

// The verdicts of [Diagnose]. Of the sources that work, the first is used.
const (
	Used     Verdict = "used"
	Works    Verdict = "works"
	Refused  Verdict = "refused"
	Untested Verdict = "not tried"
)

// Report is what [Diagnose] found.
type Report struct {
	Machine []Fact       `json:"machine"`
	Hooks   []HookReport `json:"hooks"`
}

// Fact about the machine, and what would help where something is missing.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Help  string `json:"help,omitempty"`
}

// HookReport tells of a hook's sources, in order of preference.
type HookReport struct {
	Name    string         `json:"name"`
	Sources []SourceReport `json:"sources"`
}

// SourceReport tells of one source.
type SourceReport struct {
	Name         string   `json:"name"`
	Verdict      Verdict  `json:"verdict"`
	Why          string   `json:"why,omitempty"`
	Help         string   `json:"help,omitempty"`
	Log          string   `json:"log,omitempty"` // the verifier's
	Unobservable []string `json:"unobservable,omitempty"`
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
	m := examine()
	r := &Report{Machine: m.facts()}
	for _, room := range rooms {
		h := HookReport{Name: room.Name}
		used := false
		for i := range room.Sources {
			report := m.judge(room, &room.Sources[i])
			if report.Verdict == Works && !used {
				report.Verdict, used = Used, true
			}
			h.Sources = append(h.Sources, report)
		}
		r.Hooks = append(r.Hooks, h)
	}
	return r
}

// judge tries a source, unless it is known before that it cannot be.
func (m *machine) judge(room *Room, source *Source) SourceReport {
	s := SourceReport{Name: source.Name, Verdict: Untested, Unobservable: source.Unobservable}
	if err := source.Holds(); err != nil {
		s.Verdict, s.Why = Refused, err.Error()
		return s
	}
	if m.types == nil {
		s.Verdict, s.Why = Refused, "the kernel's types (BTF) cannot be read"
		s.Help = "a kernel with CONFIG_DEBUG_INFO_BTF=y"
		return s
	}
	if what := absent(room, source, m.types); what != "" {
		s.Verdict, s.Why = Refused, "this kernel has no "+what
		return s
	}
	if err := room.allowed(source); err != nil {
		s.Why = err.Error()
		var privilege *ErrPrivilege
		if errors.As(err, &privilege) {
			s.Help = privilege.Help("ktrace doctor")
		}
		if why, help := m.unbuilt(room, source); why != "" {
			s.Verdict, s.Why, s.Help = Refused, why, help
		}
		return s
	}
	err := try(room, source)
	if err == nil {
		s.Verdict = Works
		return s
	}
	s.Verdict = Refused
	s.Why, s.Help = strings.TrimPrefix(explain(err), source.Name+": "), m.help(room, source, err)
	s.Log = verifierLog(err)
	return s
}

func verifierLog(err error) string {
	var v *ebpf.VerifierError
	if !errors.As(err, &v) {
		return ""
	}
	return fmt.Sprintf("%+v", v)
}

// try attaches the source and detaches it at once.
func try(room *Room, source *Source) error {
	session, err := Open(Options{
		Rooms: []*Room{room}, Source: map[string]string{room.Name: source.Name},
		RingSize: 1 << 20, Log: func(string, ...any) {},
	})
	if err == nil {
		session.Close()
		return nil
	}
	var none *NoWay
	if errors.As(err, &none) && len(none.Errs) == 1 {
		return none.Errs[0]
	}
	return err
}

// absent names a tracepoint or function that the source needs and the kernel
// does not have. Reading BTF takes no privilege.
func absent(room *Room, source *Source, kernel *btf.Spec) string {
	for _, name := range source.Programs {
		p := room.spec.Programs[name]
		if p.Type != ebpf.Tracing {
			continue
		}
		if p.AttachType == ebpf.AttachTraceRawTp {
			var t *btf.Typedef
			if err := kernel.TypeByName("btf_trace_"+p.AttachTo, &t); err != nil {
				return "tracepoint " + p.AttachTo
			}
			continue
		}
		var f *btf.Func
		if err := kernel.TypeByName(p.AttachTo, &f); err != nil {
			return "function " + p.AttachTo + " that can be traced"
		}
	}
	return ""
}

// unbuilt says which options the kernel was built without that a source
// takes, and what would help.
func (m *machine) unbuilt(room *Room, source *Source) (why, help string) {
	missing := m.config.unset(room.options(source))
	if missing == nil {
		return "", ""
	}
	list := strings.Join(missing, ", ")
	return "the kernel is built without " + list, "a kernel with " + list
}

// help finds what would let in a source that was tried and refused.
func (m *machine) help(room *Room, source *Source, err error) string {
	_, help := m.unbuilt(room, source)
	switch {
	case help != "":
		return help
	case errors.Is(err, errPseudo) && !m.capabilities.has(unix.CAP_SYS_ADMIN):
		return "CAP_SYS_ADMIN, or: mount -t tracefs tracefs /sys/kernel/tracing"
	case errors.Is(err, errPerf) && m.paranoid > 2 && m.capabilities&(1<<unix.CAP_SYS_ADMIN) == 0:
		return "CAP_SYS_ADMIN, or: sysctl kernel.perf_event_paranoid=2 (above it CAP_PERFMON is not enough on Debian's kernels)"
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
		if m.config.path != "" {
			return "ktrace doctor -v shows the kernel's own words, if it has any"
		}
		return "a kernel with " + strings.Join(room.options(source), ", ")
	case !atLeast(5, 11) && m.capabilities&(1<<unix.CAP_SYS_RESOURCE) == 0:
		return "CAP_SYS_RESOURCE, or ulimit -l unlimited: maps count as locked memory before Linux 5.11"
	case strings.Contains(m.lockdown, "[confidentiality]"):
		return "a boot without lockdown=confidentiality, which forbids reading the kernel's memory"
	}
	found := "no capability is missing"
	if m.config.path != "" {
		found = "no option and " + found
	}
	if m.modules == "" {
		return found + "; the kernel's lockdown or a security module may forbid it"
	}
	return fmt.Sprintf("%s; lockdown (%s) or a security module (%s) may forbid it", found, m.lockdown, m.modules)
}

// options of the kernel's build that all programs of a source take.
func (r *Room) options(source *Source) []string {
	var list []string
	for _, name := range source.Programs {
		for _, o := range options(r.spec.Programs[name]) {
			if !slices.Contains(list, o) {
				list = append(list, o)
			}
		}
	}
	return list
}
