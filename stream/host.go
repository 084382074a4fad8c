// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// NewHeader describes this machine; hooks, tables and stop are the caller's.
func NewHeader(tool string) *Header {
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail with a valid pointer
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	stat, _ := os.ReadFile("/proc/stat")
	return &Header{
		Magic: magic, Version: Version, Clock: "boottime",
		Host:       Text(unix.ByteSliceToString(u.Nodename[:])),
		BootID:     strings.TrimSpace(string(id)),
		Kernel:     unix.ByteSliceToString(u.Release[:]),
		Arch:       unix.ByteSliceToString(u.Machine[:]),
		CPUs:       bytes.Count(stat, []byte("\ncpu")), // one line for each that is online; NumCPU would be those this process may use
		PageSize:   os.Getpagesize(),
		BootUnixNS: bootUnixNS(),
		Tool:       tool,
	}
}

// pipeSize is what WidenPipe asks for: the most that a user may have
// (/proc/sys/fs/pipe-max-size as the kernel sets it).
const pipeSize = 1 << 20

// WidenPipe makes a pipe as wide as a user may, so that a batch passes in one
// go. Anything that is not a pipe stays as it is.
func WidenPipe(f *os.File) {
	_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, pipeSize)
}
