// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cilium/ebpf"
)

// kernelConfig is how the running kernel was built.
type kernelConfig struct {
	path string          // where that was read, "" if nowhere
	set  map[string]bool // the options that are y or m
}

// readKernelConfig looks where kernels (CONFIG_IKCONFIG_PROC) and
// distributions (Debian, Fedora) leave it.
func readKernelConfig(release string) kernelConfig {
	for _, path := range []string{"/proc/config.gz", "/boot/config-" + release, "/lib/modules/" + release + "/config"} {
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		set, err := parseConfig(file)
		_ = file.Close()
		if err == nil {
			return kernelConfig{path, set}
		}
	}
	return kernelConfig{}
}

// parseConfig reads the form of .config, as it is or packed by gzip.
func parseConfig(r io.Reader) (map[string]bool, error) {
	plain := bufio.NewReader(r)
	if magic, _ := plain.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(plain)
		if err != nil {
			return nil, fmt.Errorf("unpack kernel configuration: %w", err)
		}
		plain = bufio.NewReader(unpacked)
	}
	set := map[string]bool{}
	lines := bufio.NewScanner(plain)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && (value == "y" || value == "m") {
			set[name] = true
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read kernel configuration: %w", err)
	}
	return set, nil
}

// unset returns which of the options the kernel was built without. Nobody
// knows where its configuration cannot be read.
func (c kernelConfig) unset(options []string) []string {
	var list []string
	for _, o := range options {
		if c.path != "" && !c.set[o] {
			list = append(list, o)
		}
	}
	return list
}

// options of the kernel's build that a program takes to be loaded and
// attached.
func options(p *ebpf.ProgramSpec) []string {
	switch p.Type {
	case ebpf.Netfilter:
		return []string{"CONFIG_BPF_SYSCALL", "CONFIG_DEBUG_INFO_BTF", "CONFIG_NETFILTER_BPF_LINK"}
	case ebpf.PerfEvent:
		return []string{"CONFIG_BPF_SYSCALL", "CONFIG_BPF_EVENTS", "CONFIG_DEBUG_INFO_BTF", "CONFIG_PERF_EVENTS"}
	case ebpf.TracePoint:
		return []string{"CONFIG_BPF_SYSCALL", "CONFIG_BPF_EVENTS", "CONFIG_DEBUG_INFO_BTF", "CONFIG_PERF_EVENTS", "CONFIG_EVENT_TRACING"}
	case ebpf.Tracing:
		if p.AttachType == ebpf.AttachTraceFEntry || p.AttachType == ebpf.AttachTraceFExit {
			return []string{"CONFIG_BPF_SYSCALL", "CONFIG_BPF_EVENTS", "CONFIG_DEBUG_INFO_BTF", "CONFIG_BPF_JIT",
				"CONFIG_FUNCTION_TRACER", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS"}
		}
	}
	return []string{"CONFIG_BPF_SYSCALL", "CONFIG_BPF_EVENTS", "CONFIG_DEBUG_INFO_BTF", "CONFIG_TRACEPOINTS"}
}
