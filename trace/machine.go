// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// machine is what attaching depends on.
type machine struct {
	release      string
	capabilities capabilitySet
	config       kernelConfig
	types        *btf.Spec // nil where they cannot be read
	typesErr     error
	lockdown     string
	modules      string // the security modules
}

func examine() *machine {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a valid pointer
	m := &machine{release: unix.ByteSliceToString(u.Release[:])}
	m.capabilities, _ = effectiveCapabilities() // none, where /proc is missing
	m.config = readKernelConfig(m.release)
	m.types, m.typesErr = btf.LoadKernelSpec()
	m.lockdown, m.modules = securityFiles()
	return m
}

// securityFiles reads what the security modules say of themselves.
func securityFiles() (lockdown, modules string) {
	root, err := pseudo("securityfs", "lsm", securityfsMounts)
	if err != nil {
		why := "unknown: " + err.Error()
		return why, why
	}
	defer func() { _ = root.Close() }()
	lockdown, modules = "unknown", "unknown"
	if data, err := readAt(root, "lsm"); err == nil {
		modules = strings.ReplaceAll(strings.TrimSpace(string(data)), ",", ", ")
	}
	data, err := readAt(root, "lockdown")
	switch {
	case err == nil:
		lockdown = strings.TrimSpace(string(data))
	case errors.Is(err, os.ErrNotExist):
		lockdown = "not there (CONFIG_SECURITY_LOCKDOWN_LSM)"
	}
	return lockdown, modules
}

// facts states what was found, and what would help.
func (m *machine) facts() []Fact {
	config := Fact{Name: "kernel options", Value: m.config.path}
	if m.config.path == "" {
		config.Value = "nowhere to be read"
		config.Help = "put its configuration in /boot/config-" + m.release + "; else options are named that would be needed"
	}
	return []Fact{
		{Name: "kernel", Value: m.release},
		config,
		m.privilegeFact(),
		m.typesFact(),
		m.tracefsFact(),
		cgroupFact(),
		m.namespacesFact(),
		sysctlFact("kernel.perf_event_paranoid", "does not bind who has CAP_PERFMON"),
		sysctlFact("kernel.unprivileged_bpf_disabled", "does not bind who has CAP_BPF"),
		{Name: "lockdown", Value: m.lockdown},
		{Name: "security modules", Value: m.modules},
	}
}

func (m *machine) privilegeFact() Fact {
	var there, without []string
	for _, c := range capabilities {
		if m.capabilities.has(c.bit) {
			there = append(there, c.name)
		} else {
			without = append(without, c.name+" ("+c.what+")")
		}
	}
	f := Fact{Name: "privilege"}
	if there != nil {
		f.Value = "has " + strings.Join(there, ", ")
	}
	if without != nil {
		f.Value += map[bool]string{true: "; ", false: ""}[there != nil] + "missing " + strings.Join(without, ", ")
		f.Help = (&ErrPrivilege{}).Help("ktrace doctor")
	}
	return f
}

func (m *machine) typesFact() Fact {
	if m.types != nil {
		return Fact{Name: "types (BTF)", Value: "/sys/kernel/btf/vmlinux"}
	}
	return Fact{Name: "types (BTF)", Value: fmt.Sprintf("cannot be read: %v", m.typesErr), Help: "a kernel with CONFIG_DEBUG_INFO_BTF=y, /sys mounted"}
}

// tracefsFact: classic tracepoints are found by it.
func (m *machine) tracefsFact() Fact {
	f := Fact{Name: "tracefs", Value: "not mounted", Help: "CAP_SYS_ADMIN, or: mount -t tracefs tracefs /sys/kernel/tracing"}
	for _, dir := range tracefsMounts {
		_, err := os.Stat(filepath.Join(dir, "events"))
		switch {
		case err == nil:
			return Fact{Name: "tracefs", Value: dir}
		case errors.Is(err, os.ErrPermission):
			f.Value, f.Help = dir+" is not open to this user", "CAP_SYS_ADMIN or CAP_DAC_READ_SEARCH"
		}
	}
	if m.capabilities.has(unix.CAP_SYS_ADMIN) {
		f.Value, f.Help = f.Value+"; ktrace opens its own", ""
	}
	return f
}

func cgroupFact() Fact {
	root, err := cgroupRoot()
	if err != nil {
		return Fact{Name: "cgroup2", Value: err.Error(), Help: "for --cgroup: mount -t cgroup2 none /sys/fs/cgroup (CONFIG_CGROUPS)"}
	}
	return Fact{Name: "cgroup2", Value: root}
}

// namespacesFact: a netfilter program sees one network namespace.
func (m *machine) namespacesFact() Fact {
	f := Fact{Name: "network namespaces"}
	spaces, err := networkNamespaces()
	if err != nil {
		f.Value = err.Error()
		return f
	}
	defer closeAll(spaces)
	if m.capabilities.has(unix.CAP_SYS_ADMIN) {
		f.Value = fmt.Sprintf("%d in use, of the processes that are seen from here", len(spaces))
		return f
	}
	f.Value = "only our own can be entered"
	f.Help = "CAP_SYS_ADMIN, for packets of the others (source netfilter)"
	return f
}

func sysctlFact(name, meaning string) Fact {
	data, err := os.ReadFile(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")))
	if err != nil {
		return Fact{Name: name, Value: "not there"}
	}
	return Fact{Name: name, Value: strings.TrimSpace(string(data)) + " (" + meaning + ")"}
}
