// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// mostSuite is the room for process ids in struct kermit_control.
const mostSuite = 6

// suite returns the processes that our output goes through: ourselves, and
// those of the suite's commands that a chain of pipes leads to, from our
// stdout. Tracing must not feed itself.
func suite() []uint32 {
	pids := []uint32{uint32(os.Getpid())}
	reached, err := os.Readlink("/proc/self/fd/1")
	if err != nil || !strings.HasPrefix(reached, "pipe:") {
		return pids
	}
	others := commands(os.Getpid())
	for pipes := []string{reached}; len(pipes) > 0; pipes = pipes[1:] {
		for pid, ends := range others {
			if len(pids) < mostSuite && slices.Contains(ends.read, pipes[0]) {
				pids = append(pids, pid)
				pipes = append(pipes, ends.written...)
				delete(others, pid)
			}
		}
	}
	return pids
}

// ends are the pipes that a process reads and writes.
type ends struct{ read, written []string }

// commands returns the suite's other processes with their pipes.
func commands(self int) map[uint32]ends {
	found := map[uint32]ends{}
	processes, _ := os.ReadDir("/proc")
	for _, p := range processes {
		pid, err := strconv.ParseUint(p.Name(), 10, 32)
		if err != nil || int(pid) == self {
			continue
		}
		comm, _ := os.ReadFile(path.Join("/proc", p.Name(), "comm")) // "": it has ended
		switch strings.TrimSpace(string(comm)) {
		case "kbench", "kparquet", "ktrace":
			found[uint32(pid)] = pipesOf(path.Join("/proc", p.Name(), "fd"))
		}
	}
	return found
}

// pipesOf tells the ends of pipes apart by the permissions of the links that
// stand for them: read for the one, write for the other.
func pipesOf(dir string) (e ends) {
	fds, _ := os.ReadDir(dir)
	for _, fd := range fds {
		link := path.Join(dir, fd.Name())
		target, _ := os.Readlink(link)
		info, err := os.Lstat(link)
		switch {
		case err != nil || !strings.HasPrefix(target, "pipe:"):
		case info.Mode().Perm()&0o400 != 0:
			e.read = append(e.read, target)
		default:
			e.written = append(e.written, target)
		}
	}
	return e
}
