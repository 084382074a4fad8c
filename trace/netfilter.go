// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// netfilterHooks are the hooks of IPv4, include/uapi/linux/netfilter.h.
var netfilterHooks = map[string]link.NetfilterInetHook{
	"local_in": link.NetfilterInetLocalIn,
}

// A netfilter program runs last, to see only what all others let pass; the very
// last place is the kernel's own (NF_IP_PRI_LAST). Each place holds one
// program, so those of other recorders come before or behind ours.
const (
	lastPriority = 1<<31 - 2
	priorities   = 256
)

func attachLast(hook link.NetfilterInetHook, prog *ebpf.Program) (l link.Link, err error) {
	for i := range int32(priorities) {
		l, err = link.AttachNetfilter(link.NetfilterOptions{
			Program: prog, ProtocolFamily: link.NetfilterProtoIPv4, Hook: hook, Priority: lastPriority - i,
		})
		if !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return l, err
}

// attachNetfilter attaches to a hook of IPv4 in every network namespace that
// there is now: a netfilter hook belongs to one. One that is made later has no
// hook: by then ktrace has given up the capabilities that it would take, and
// its first packets may be gone before anybody knows of it. unseen says which
// are not reached now, "" for none.
func attachNetfilter(hook link.NetfilterInetHook, prog *ebpf.Program) (links []io.Closer, unseen string, err error) {
	spaces, all, err := networkNamespaces()
	if err != nil {
		return nil, "", err
	}
	defer closeAll(spaces)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine, in whatever namespace it is
		for i, space := range spaces {
			if i > 0 { // the first is our own
				if unix.Setns(int(space.(*os.File).Fd()), unix.CLONE_NEWNET) != nil {
					all = false // another user's
					continue
				}
			}
			var l link.Link
			if l, err = attachLast(hook, prog); err != nil {
				err = fmt.Errorf("netfilter hook: %w", err)
				return
			}
			links = append(links, l)
		}
	}()
	<-done
	if err != nil {
		closeAll(links)
		return nil, "", err
	}
	if !all {
		unseen = "packets of network namespaces that ktrace may not enter (it lacks CAP_SYS_ADMIN or CAP_SYS_PTRACE)"
	}
	return links, unseen, nil
}

// networkNamespaces opens our own and then each other one that a thread lives
// in or that is mounted somewhere (as ip-netns(8) and container runtimes do).
// all: there is none that we may not look at.
func networkNamespaces() (spaces []io.Closer, all bool, err error) {
	own, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, false, fmt.Errorf("open network namespace: %w", err)
	}
	name, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		_ = own.Close()
		return nil, false, fmt.Errorf("name network namespace: %w", err)
	}
	spaces, all = []io.Closer{own}, true
	seen := map[string]bool{name: true}
	reached, closed := map[uint64]bool{inode("/proc/self/net/dev"): true}, map[uint64]bool{}
	add := func(name, file string) {
		if seen[name] {
			return
		}
		space, err := os.Open(file)
		if err != nil {
			all = all && !errors.Is(err, fs.ErrPermission)
			return // it ended just now, or it has another name
		}
		spaces = append(spaces, space)
		seen[name] = true
	}
	threads, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	for _, thread := range threads {
		file := path.Join(thread, "ns/net")
		name, err := os.Readlink(file)
		if errors.Is(err, fs.ErrPermission) {
			closed[inode(path.Join(thread, "net/dev"))] = true
		}
		if err != nil {
			continue
		}
		if add(name, file); seen[name] {
			reached[inode(path.Join(thread, "net/dev"))] = true
		}
		if mounts, err := os.Readlink(path.Join(thread, "ns/mnt")); err == nil && !seen[mounts] {
			seen[mounts] = true
			eachMounted(thread, add)
		}
	}
	delete(reached, 0)
	for number := range closed {
		all = all && reached[number]
	}
	return spaces, all, nil
}

// inode numbers a file. A file below /proc/TID/net, which needs no right, has
// one number for all threads of a namespace; ns/net does not tell everybody.
func inode(file string) uint64 {
	var s unix.Stat_t
	if unix.Stat(file, &s) != nil {
		return 0 // of no namespace
	}
	return s.Ino
}

// eachMounted finds the namespaces that are mounted where the thread lives.
func eachMounted(thread string, found func(name, file string)) {
	tid, _ := strconv.Atoi(path.Base(thread)) // a thread's folder is named for it
	mounts, err := procfs.GetProcMounts(tid)
	if err != nil {
		return // it ended
	}
	for _, m := range mounts {
		if ok, _ := path.Match("net:[[]*]", m.Root); ok && m.FSType == "nsfs" {
			found(m.Root, path.Join(thread, "root", m.MountPoint))
		}
	}
}
