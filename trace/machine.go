// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
	lockdown     string // these two are empty where they cannot be read
	modules      string // the security modules
	securityErr  error  // why
	paranoid     int    // kernel.perf_event_paranoid
}

func examine() *machine {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a valid pointer
	m := &machine{release: unix.ByteSliceToString(u.Release[:])}
	m.capabilities, _ = effectiveCapabilities() // none, where /proc is missing
	m.config = readKernelConfig(m.release)
	m.types, m.typesErr = kernelTypes.Kernel()
	m.securityErr = m.readSecurity()
	m.paranoid, _ = strconv.Atoi(sysctl("kernel.perf_event_paranoid")) // 0 where it is not there
	return m
}

// readSecurity reads what the security modules say of themselves.
func (m *machine) readSecurity() error {
	root, err := pseudo("securityfs", "lsm", securityfsMounts)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	data, err := readAt(root, "lsm")
	if err != nil {
		return fmt.Errorf("read lsm: %w", err)
	}
	m.modules = strings.ReplaceAll(strings.TrimSpace(string(data)), ",", ", ")
	data, err = readAt(root, "lockdown")
	if errors.Is(err, os.ErrNotExist) {
		data, err = []byte("not there (CONFIG_SECURITY_LOCKDOWN_LSM)"), nil
	}
	m.lockdown = strings.TrimSpace(string(data))
	return err
}

func (m *machine) securityFacts() []Fact {
	if m.securityErr != nil {
		return []Fact{{Name: "security", Value: "unknown: " + m.securityErr.Error()}}
	}
	return []Fact{{Name: "lockdown", Value: m.lockdown}, {Name: "security modules", Value: m.modules}}
}

// facts states what was found, and what would help.
func (m *machine) facts() []Fact {
	config := Fact{Name: "kernel options", Value: m.config.path}
	if m.config.path == "" {
		config.Value = "nowhere to be read"
		config.Help = "put its configuration in /boot/config-" + m.release + "; else options are named that would be needed"
	}
	return append([]Fact{
		{Name: "kernel", Value: m.release},
		config,
		m.privilegeFact(),
		m.typesFact(),
		m.tracefsFact(),
		cgroupFact(),
		m.namespacesFact(),
		sysctlFact("kernel.perf_event_paranoid", "up to 2 it does not bind who has CAP_PERFMON, above it takes CAP_SYS_ADMIN on Debian"),
		sysctlFact("kernel.unprivileged_bpf_disabled", "does not bind who has CAP_BPF"),
	}, m.securityFacts()...)
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
	spaces, all, err := networkNamespaces()
	if err != nil {
		f.Value = err.Error()
		return f
	}
	defer closeAll(spaces)
	if m.capabilities.has(unix.CAP_SYS_ADMIN) {
		f.Value = fmt.Sprintf("%d in use, of the threads and mounts that are seen from here", len(spaces))
		if !all {
			f.Value, f.Help = f.Value+"; others may not be looked at", "CAP_SYS_PTRACE, for packets of the others (source netfilter)"
		}
		return f
	}
	f.Value = "only our own can be entered"
	f.Help = "CAP_SYS_ADMIN, for packets of the others (source netfilter)"
	return f
}

func sysctlFact(name, meaning string) Fact {
	value := sysctl(name)
	if value == "" {
		return Fact{Name: name, Value: "not there"}
	}
	return Fact{Name: name, Value: value + " (" + meaning + ")"}
}

// sysctl returns a setting's value, nothing where it is not there.
func sysctl(name string) string {
	data, _ := os.ReadFile(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")))
	return strings.TrimSpace(string(data))
}
