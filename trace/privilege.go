// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/kermit-trace/kermit/internal/invoker"
	"golang.org/x/sys/unix"
)

// ErrPrivilege says which capabilities are missing.
type ErrPrivilege struct{ Missing []string }

func (e *ErrPrivilege) Error() string {
	return "attach probes: missing " + strings.Join(e.Missing, ", ")
}

// Help says how to come to them, for a command line.
func (e *ErrPrivilege) Help(command string) string {
	if os.Geteuid() == 0 {
		return "root without it: whoever started the container or service must grant it"
	}
	return "run it as root: sudo " + command
}

// capabilitySet is a set of capabilities, a bit each.
type capabilitySet uint64

// has takes CAP_SYS_ADMIN for the others, as the kernel's checks for BPF and
// perf events do.
func (c capabilitySet) has(bit uint) bool { return c&(1<<bit) != 0 || c&(1<<unix.CAP_SYS_ADMIN) != 0 }

// capability of the kernel, and what it is needed for.
type capability struct {
	name string
	bit  uint
	what string
}

// capabilities that make a difference; without the first two nothing is attached.
var capabilities = []capability{
	{"CAP_BPF", unix.CAP_BPF, "any hook"},
	{"CAP_PERFMON", unix.CAP_PERFMON, "any hook"},
	{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN, "netfilter programs"},
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN, "a tracefs of ktrace's own, other network namespaces, --cost"},
}

// lacking returns those of the list that the set does not have.
func (c capabilitySet) lacking(list []capability) []string {
	var missing []string
	for _, one := range list {
		if !c.has(one.bit) {
			missing = append(missing, one.name)
		}
	}
	return missing
}

// privileged tells whether probes can be attached at all.
func privileged() error {
	effective, err := effectiveCapabilities()
	if err != nil {
		return err
	}
	if missing := effective.lacking(capabilities[:2]); missing != nil {
		return &ErrPrivilege{missing}
	}
	return nil
}

// allowed tells whether we have what a source of the room takes.
func (r *Room) allowed(source *Source) error {
	takes := capabilities[:2]
	for _, name := range source.Programs {
		if r.spec.Programs[name].Type == ebpf.Netfilter {
			takes = capabilities[:3]
		}
	}
	effective, err := effectiveCapabilities()
	if err != nil {
		return err
	}
	if missing := effective.lacking(takes); missing != nil {
		return &ErrPrivilege{missing}
	}
	return nil
}

func effectiveCapabilities() (capabilitySet, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return capabilitySet(set), err
		}
	}
	return 0, fmt.Errorf("read capabilities: /proc/self/status has no CapEff")
}

// drop gives up every capability, in all threads, and under sudo becomes the
// user who called it. From Linux 5.19 on nothing that is left to do takes one;
// before, any use of bpf() takes CAP_BPF.
func drop() error {
	if err := becomeInvoker(); err != nil {
		return err
	}
	var keep uint64
	if !atLeast(5, 19) {
		keep = 1 << unix.CAP_BPF
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(keep), Permitted: uint32(keep)},
		{Effective: uint32(keep >> 32), Permitted: uint32(keep >> 32)},
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno == unix.ENOTSUP {
		return errors.New("drop capabilities: built with cgo, which cannot; build with CGO_ENABLED=0")
	}
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}

// becomeInvoker switches to the user who called sudo, if anybody has.
func becomeInvoker() error {
	who, err := invoker.Find()
	if who == nil || err != nil {
		return err
	}
	if !atLeast(5, 19) {
		// The change of user would take CAP_BPF away as well.
		if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0); errno != 0 {
			return fmt.Errorf("keep capabilities: %w", errno)
		}
	}
	if err := syscall.Setgroups(who.Groups); err != nil {
		return fmt.Errorf("become user %d: %w", who.UID, err)
	}
	if err := syscall.Setgid(who.GID); err != nil {
		return fmt.Errorf("become user %d: %w", who.UID, err)
	}
	if err := syscall.Setuid(who.UID); err != nil {
		return fmt.Errorf("become user %d: %w", who.UID, err)
	}
	return nil
}

// atLeast compares the running kernel's version.
func atLeast(major, minor int) bool {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a valid pointer
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}
