// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
)

// typeProgram gives a program the type that its section asks for: KIND/TARGET
// as PROBE of kermit.bpf.h lists them.
func typeProgram(p *ebpf.ProgramSpec, section string) error {
	kind, target, ok := strings.Cut(section, "/")
	if !ok {
		return fmt.Errorf("section %q is not KIND/TARGET", section)
	}
	p.AttachTo = target
	switch kind {
	case "tp_btf":
		p.Type, p.AttachType = ebpf.Tracing, ebpf.AttachTraceRawTp
	case "fentry":
		p.Type, p.AttachType = ebpf.Tracing, ebpf.AttachTraceFEntry
	case "fexit":
		p.Type, p.AttachType = ebpf.Tracing, ebpf.AttachTraceFExit
	case "raw_tp":
		p.Type = ebpf.RawTracepoint
	case "tracepoint":
		p.Type = ebpf.TracePoint
	case "perf_event":
		p.Type = ebpf.PerfEvent
		if _, ok := softwareEvents[target]; !ok {
			return fmt.Errorf("unknown software event %q", target)
		}
	case "netfilter":
		p.Type, p.AttachType = ebpf.Netfilter, ebpf.AttachNetfilter
		if _, ok := netfilterHooks[target]; !ok {
			return fmt.Errorf("unknown netfilter hook %q", target)
		}
	default:
		return fmt.Errorf("unknown kind of program %q", kind)
	}
	return nil
}

// attachOrder sorts programs: on one tracepoint the raw one runs before the
// classic one if it was attached first, and what feeds a join comes before
// what completes it.
func attachOrder(a, b *ebpf.ProgramSpec) int {
	rank := func(p *ebpf.ProgramSpec) int {
		switch p.Type {
		case ebpf.Tracing, ebpf.RawTracepoint:
			return 0
		case ebpf.TracePoint:
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Name, b.Name))
}
