// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// softwareEvents are those of perf_event_open(2) that a probe can ask for.
var softwareEvents = map[string]uint64{
	"page_faults_min": unix.PERF_COUNT_SW_PAGE_FAULTS_MIN,
	"page_faults_maj": unix.PERF_COUNT_SW_PAGE_FAULTS_MAJ,
}

// attachHere attaches a loaded program. Closing what it returns detaches it.
// unseen is a fact that the program cannot see on this machine, or "".
func attachHere(spec *ebpf.ProgramSpec, prog *ebpf.Program) (links []io.Closer, unseen string, err error) {
	if spec.Type == ebpf.Netfilter {
		return attachNetfilter(netfilterHooks[spec.AttachTo], prog)
	}
	links, err = attach(spec, prog)
	return links, "", err
}

// attach attaches a program that sees the whole machine.
func attach(spec *ebpf.ProgramSpec, prog *ebpf.Program) ([]io.Closer, error) {
	switch spec.Type {
	case ebpf.Tracing:
		return one(link.AttachTracing(link.TracingOptions{Program: prog}))
	case ebpf.RawTracepoint:
		return one(link.AttachRawTracepoint(link.RawTracepointOptions{Name: spec.AttachTo, Program: prog}))
	case ebpf.TracePoint:
		return attachTracepoint(spec.AttachTo, prog)
	case ebpf.PerfEvent:
		return attachSoftware(softwareEvents[spec.AttachTo], prog)
	}
	return nil, fmt.Errorf("no way to attach a %s", spec.Type)
}

func one(l link.Link, err error) ([]io.Closer, error) {
	if err != nil {
		return nil, err
	}
	return []io.Closer{l}, nil
}

// attachTracepoint attaches to a classic tracepoint GROUP/NAME. One perf event
// is enough: the kernel runs its programs on every CPU.
func attachTracepoint(target string, prog *ebpf.Program) ([]io.Closer, error) {
	id, err := tracepointID(target)
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Sample: 1, Wakeup: 1}
	event, err := openEvent(attr, 0, prog)
	if err != nil {
		return nil, fmt.Errorf("tracepoint %s: %w", target, err)
	}
	return []io.Closer{event}, nil
}

// attachSoftware attaches to a software event on every online CPU, period 1.
func attachSoftware(config uint64, prog *ebpf.Program) ([]io.Closer, error) {
	cpus, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	var events []io.Closer
	for _, cpu := range cpus {
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: config, Sample: 1}
		event, err := openEvent(attr, cpu, prog)
		if err != nil {
			closeAll(events)
			return nil, fmt.Errorf("software event on cpu %d: %w", cpu, err)
		}
		events = append(events, event)
	}
	return events, nil
}

// errPerf says that the kernel gives no perf event.
var errPerf = errors.New("perf_event_open")

// openEvent opens a perf event for all tasks of a CPU and hands it to prog.
// The ioctl works on every kernel; links for perf events came with 5.15.
func openEvent(attr unix.PerfEventAttr, cpu int, prog *ebpf.Program) (io.Closer, error) {
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPerf, err)
	}
	event := os.NewFile(uintptr(fd), "perf_event")
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, prog.FD()); err != nil {
		_ = event.Close()
		return nil, fmt.Errorf("set program: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
		_ = event.Close()
		return nil, fmt.Errorf("enable: %w", err)
	}
	return event, nil
}

func closeAll(list []io.Closer) {
	var errs []error
	for _, c := range list {
		errs = append(errs, c.Close())
	}
	_ = errors.Join(errs...) // closing a descriptor detaches, whatever it says
}

// onlineCPUs reads the list of CPUs that run now.
func onlineCPUs() ([]int, error) {
	data, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	return parseCPUs(strings.TrimSpace(string(data)))
}

// parseCPUs reads the kernel's list format: 0-3,8.
func parseCPUs(list string) ([]int, error) {
	var cpus []int
	for span := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(span, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if err := errors.Join(errA, errB); err != nil || a > b {
			return nil, fmt.Errorf("list of CPUs %q: not a range", list)
		}
		for ; a <= b; a++ {
			cpus = append(cpus, a)
		}
	}
	return cpus, nil
}
