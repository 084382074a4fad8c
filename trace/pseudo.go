// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Where the kernel's own file systems are, if anywhere.
var (
	tracefsMounts    = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}
	securityfsMounts = []string{"/sys/kernel/security"}
)

// errPseudo says that a file system of the kernel's can be neither found nor
// mounted.
var errPseudo = errors.New("it is not mounted")

// tracepointID reads a tracepoint's number from tracefs.
func tracepointID(target string) (uint64, error) {
	root, err := pseudo("tracefs", "events", tracefsMounts)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	name := path.Join("events", target, "id")
	data, err := readAt(root, name)
	if err != nil {
		return 0, fmt.Errorf("read %s in tracefs: %w", name, err)
	}
	return strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
}

// pseudo opens the root of a file system of the kernel's, which has a file of
// the given name in it. A machine may not have it mounted; a mount that is
// attached nowhere (Linux 5.2) changes nothing on the host. It takes
// CAP_SYS_ADMIN.
func pseudo(kind, file string, mounts []string) (*os.File, error) {
	for _, dir := range mounts {
		if root, err := os.Open(dir); err == nil {
			if _, err := os.Stat(path.Join(dir, file)); err == nil {
				return root, nil
			}
			_ = root.Close()
		}
	}
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w, and to mount it: %w", kind, errPseudo, err)
	}
	defer func() { _ = unix.Close(fs) }()
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("open %s: %w, and to mount it: %w", kind, errPseudo, err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w, and to mount it: %w", kind, errPseudo, err)
	}
	return os.NewFile(uintptr(fd), kind), nil
}

func readAt(root *os.File, name string) ([]byte, error) {
	fd, err := unix.Openat(int(root.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer func() { _ = file.Close() }()
	return io.ReadAll(file)
}
