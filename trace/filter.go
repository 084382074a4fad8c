// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

//go:embed filter/filter.o
var filterObject []byte

// Filter chooses processes. A row is wanted when its own process passes all
// that are set; the probe judges before it makes the row. The zero Filter
// wants every row.
type Filter struct {
	PIDs   []int   // these processes and all their descendants, also those born later
	Follow bool    // what the commands of the suite start: kbench's CMD, or our own
	Comm   string  // processes whose main thread has this name, at most 15 bytes
	UID    *uint32 // processes of this real user id; judged at their start and exec
	Cgroup string  // processes in this cgroup (version 2) or below it: a path, absolute or below where they are mounted
}

// The bits of kermit_passes, as in filter/filter.bpf.c.
const (
	followed uint32 = 1 << iota
	byComm
	byUID
	byCgroup
)

// The bounds of filter/filter.bpf.c.
const (
	maxComm      = 15
	maxCgroup    = 126
	maxProcesses = 1 << 16
)

// need is the set of bits that a process must have.
func (f *Filter) need() uint32 {
	var need uint32
	if f.Follow || len(f.PIDs) > 0 {
		need |= followed
	}
	if f.Comm != "" {
		need |= byComm
	}
	if f.UID != nil {
		need |= byUID
	}
	if f.Cgroup != "" {
		need |= byCgroup
	}
	return need
}

// check refuses a filter that could never be judged, and brings the cgroup
// into the form that the kernel names it by.
func (f *Filter) check() error {
	if len(f.Comm) > maxComm {
		return fmt.Errorf("filter by name %q: the kernel keeps %d bytes of a name", f.Comm, maxComm)
	}
	for _, pid := range f.PIDs {
		if err := unix.Kill(pid, 0); errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("filter by pid %d: no such process", pid)
		}
	}
	if f.Cgroup == "" {
		return nil
	}
	root, err := cgroupRoot()
	if err != nil {
		return fmt.Errorf("filter by cgroup %s: %w", f.Cgroup, err)
	}
	dir := filepath.Clean(f.Cgroup)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("filter by cgroup: %w", err)
	}
	name, below := strings.CutPrefix(dir+"/", root+"/")
	if !below {
		return fmt.Errorf("filter by cgroup %s: not of version 2, whose tree (%s) alone names a process's cgroup", dir, root)
	}
	f.Cgroup = filepath.Clean("/" + name)
	if len(f.Cgroup) > maxCgroup {
		return fmt.Errorf("filter by cgroup %s: longer than %d bytes", f.Cgroup, maxCgroup)
	}
	return nil
}

// cgroupRoot is where the tree of version 2 is mounted.
func cgroupRoot() (string, error) {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		if m.FSType == "cgroup2" {
			return m.MountPoint, nil
		}
	}
	return "", errors.New("cgroups of version 2 are not mounted here")
}

// openFilter attaches the programs that keep kermit_passes, and enters the
// processes that are there.
func (s *Session) openFilter() error {
	f := &s.options.Filter
	spec := &ebpf.MapSpec{Name: "kermit_passes", Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	if f.need() != 0 {
		if err := f.check(); err != nil {
			return err
		}
		spec.MaxEntries = maxProcesses
	}
	var err error
	if s.passes, err = ebpf.NewMap(spec); err != nil {
		return fmt.Errorf("create filter: %w", err)
	}
	if f.need() == 0 {
		return nil
	}
	if err := s.attachFilter(f); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return s.enterProcesses(f)
}

func (s *Session) attachFilter(f *Filter) error {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(filterObject))
	if err != nil {
		return err
	}
	shared := map[string]*ebpf.Map{"kermit_passes": s.passes, "kermit_control": s.control}
	for name := range spec.Maps {
		if !strings.HasPrefix(name, ".") && shared[name] == nil {
			delete(spec.Maps, name) // of the vocabulary, not used here
		}
	}
	spec.Maps["kermit_passes"].MaxEntries = s.passes.MaxEntries()
	var comm [16]byte
	copy(comm[:], f.Comm)
	var cgroup [maxCgroup + 2]byte
	inTree := strings.TrimSuffix(f.Cgroup, "/") // the root's name is its trailing slash
	copy(cgroup[:], inTree)
	values := map[string]any{
		"filter_need": f.need(), "filter_comm": comm, "filter_cgroup": cgroup, "filter_cgroup_length": uint32(len(inTree)),
	}
	if f.UID != nil {
		values["filter_uid"] = *f.UID
	}
	for name, value := range values {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	for _, p := range spec.Programs {
		if err := typeProgram(p, strings.TrimPrefix(p.SectionName, "filter|")); err != nil {
			return err
		}
	}
	coll, err := s.collect(spec, shared)
	if err != nil {
		return err
	}
	defer coll.Close()
	for name, prog := range coll.Programs {
		links, err := attach(spec.Programs[name], prog)
		if err != nil {
			return fmt.Errorf("program %s: %w", name, err)
		}
		s.filter = append(s.filter, links...)
		s.filterPrograms = append(s.filterPrograms, coll.DetachProgram(name))
	}
	return nil
}

// enterProcesses judges the processes of /proc. Twice: one that is born while
// we read may have a parent that was not judged yet.
func (s *Session) enterProcesses(f *Filter) error {
	if f.Follow {
		for _, pid := range suite() {
			if err := s.passes.Put(pid, followed); err != nil {
				return fmt.Errorf("follow the suite: %w", err)
			}
		}
	}
	if f.need() == followed && len(f.PIDs) == 0 {
		return nil
	}
	for range 2 {
		processes, err := procfs.AllProcs()
		if err != nil {
			return fmt.Errorf("list processes: %w", err)
		}
		parents := map[int]int{}
		for _, p := range processes {
			if stat, err := p.Stat(); err == nil {
				parents[p.PID] = stat.PPID
			}
		}
		for _, p := range processes {
			bits := f.judge(p, parents)
			if bits == 0 {
				continue
			}
			if err := s.passes.Put(uint32(p.PID), bits); err != nil {
				return fmt.Errorf("filter process %d: %w", p.PID, err)
			}
		}
	}
	return nil
}

// judge returns the bits of a process that runs; one that has ended gets none.
func (f *Filter) judge(p procfs.Proc, parents map[int]int) uint32 {
	var bits uint32
	for pid := p.PID; pid > 0; pid = parents[pid] {
		if slices.Contains(f.PIDs, pid) {
			bits |= followed
			break
		}
	}
	if f.Comm != "" {
		if comm, err := p.Comm(); err == nil && comm == f.Comm {
			bits |= byComm
		}
	}
	if f.UID != nil {
		if status, err := p.NewStatus(); err == nil && status.UIDs[0] == uint64(*f.UID) {
			bits |= byUID
		}
	}
	if f.Cgroup != "" {
		groups, _ := p.Cgroups()
		for _, g := range groups {
			if g.HierarchyID == 0 && (g.Path == f.Cgroup || strings.HasPrefix(g.Path, strings.TrimSuffix(f.Cgroup, "/")+"/")) {
				bits |= byCgroup
			}
		}
	}
	return bits
}
