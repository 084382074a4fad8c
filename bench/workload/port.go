// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// freePort returns a TCP port of 127.0.0.1 that nobody uses.
func freePort() (int64, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return int64(port), l.Close()
}

// checkPort refuses a port on which somebody listens, and names him.
func checkPort(port int64) error {
	sockets, err := listeners(uint16(port))
	if err != nil || len(sockets) == 0 {
		return err
	}
	owner := "another process"
	if p, ok := ownerOf(sockets, func(procfs.Proc) bool { return true }); ok {
		if comm, err := p.Comm(); err == nil {
			owner = fmt.Sprintf("%s (pid %d)", comm, p.PID)
		}
	}
	return fmt.Errorf("port %d is taken: %s listens on it", port, owner)
}

// listeners returns the inodes of the sockets that listen on a port, as they
// stand in /proc/PID/fd.
func listeners(port uint16) ([]string, error) {
	var found []string
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		sockets, err := netlink.SocketDiagTCP(family)
		if err != nil && family == unix.AF_INET {
			return nil, fmt.Errorf("list TCP sockets: %w", err)
		} // a kernel without IPv6 has no others
		for _, s := range sockets {
			if s.State == netlink.TCP_LISTEN && s.ID.SourcePort == port {
				found = append(found, fmt.Sprintf("socket:[%d]", s.INode))
			}
		}
	}
	return found, nil
}

// ownerOf returns a process, of those that may be, that holds one of the
// sockets.
func ownerOf(sockets []string, may func(procfs.Proc) bool) (procfs.Proc, bool) {
	all, err := procfs.AllProcs()
	if err != nil {
		return procfs.Proc{}, false
	}
	for _, p := range all {
		if !may(p) {
			continue
		}
		targets, _ := p.FileDescriptorTargets() // a process may end, or be another user's
		for _, t := range targets {
			if strings.HasPrefix(t, "socket:") && slices.Contains(sockets, t) {
				return p, true
			}
		}
	}
	return procfs.Proc{}, false
}

// listens tells whether a process of the group listens on the port.
func listens(group int, port int64) (bool, error) {
	sockets, err := listeners(uint16(port))
	if err != nil || len(sockets) == 0 {
		return false, err
	}
	_, ok := ownerOf(sockets, func(p procfs.Proc) bool {
		stat, err := p.Stat()
		return err == nil && stat.PGRP == group
	})
	if !ok {
		return false, fmt.Errorf("port %d is another's: no process of this service listens on it", port)
	}
	return true, nil
}
