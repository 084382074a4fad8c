// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// probe is a room that is attached by one of its sources.
type probe struct {
	room     *Room
	source   *Source
	programs map[string]*ebpf.Program
	tables   []*liveTable
	links    []io.Closer
}

// Holds tells whether the source is meant for this machine; the error says why
// it is not.
func (s *Source) Holds() error {
	if s.When == "" {
		return nil
	}
	for condition := range strings.SplitSeq(s.When, ", ") {
		var cpus, major, minor int
		switch {
		case scan(condition, "cpus <= %d", &cpus):
			if n, err := ebpf.PossibleCPU(); err != nil || n > cpus {
				return fmt.Errorf("meant for %s, this machine can have %d", condition, n)
			}
		case scan(condition, "kernel >= %d.%d", &major, &minor):
			if !atLeast(major, minor) {
				return fmt.Errorf("meant for %s", condition)
			}
		case scan(condition, "kernel < %d.%d", &major, &minor):
			if atLeast(major, minor) {
				return fmt.Errorf("meant for %s", condition)
			}
		default:
			return fmt.Errorf("condition %q is not understood", condition)
		}
	}
	return nil
}

func scan(text, format string, values ...any) bool {
	n, err := fmt.Sscanf(text, format, values...)
	return err == nil && n == len(values)
}

// load loads a room's programs of one source and attaches them. Table numbers
// start at firstID.
func (s *Session) load(room *Room, source *Source, firstID int) (*probe, error) {
	spec := room.spec.Copy()
	for name := range spec.Programs {
		if !slices.Contains(source.Programs, name) {
			delete(spec.Programs, name)
		}
	}
	for _, m := range spec.Maps {
		if strings.HasPrefix(m.Name, "percpu_") || isTable(m) {
			m.MaxEntries = uint32(s.cpus)
		}
	}
	fill(spec.Maps["kermit_rings"], s.rings)
	fill(spec.Maps["kermit_control"], s.control)
	fill(spec.Maps["kermit_passes"], s.passes)
	if inner := spec.Maps["kermit_rings"]; inner != nil {
		inner.InnerMap.MaxEntries = uint32(s.ringSize)
	}
	if err := setVariables(spec, room, firstID, s); err != nil {
		return nil, err
	}
	shared := map[string]*ebpf.Map{}
	for name, m := range map[string]*ebpf.Map{"kermit_rings": s.rings, "kermit_control": s.control, "kermit_passes": s.passes} {
		if spec.Maps[name] != nil {
			shared[name] = m
		}
	}
	coll, err := s.collect(spec, shared)
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	here := *source // with what it cannot see on this machine
	p := &probe{room: room, source: &here, programs: map[string]*ebpf.Program{}}
	for _, name := range source.Programs {
		links, unseen, err := attachHere(spec.Programs[name], coll.Programs[name])
		if err != nil {
			p.close()
			return nil, fmt.Errorf("program %s: %w", name, err)
		}
		p.links = append(p.links, links...)
		p.programs[name] = coll.DetachProgram(name)
		if unseen != "" {
			here.Unobservable = append(slices.Clone(here.Unobservable), unseen)
		}
	}
	for i, shape := range room.Tables {
		t, err := newLiveTable(shape, &here, coll.Maps[shape.Name], firstID+i, s.cpus)
		if err != nil {
			p.close()
			return nil, err
		}
		p.tables = append(p.tables, t)
	}
	return p, nil
}

// kernelTypes decodes the kernel's BTF, some 5 MB, once for all that is loaded.
var kernelTypes = btf.NewCache()

// collect loads a collection that shares some maps with others.
func (s *Session) collect(spec *ebpf.CollectionSpec, shared map[string]*ebpf.Map) (*ebpf.Collection, error) {
	options := ebpf.CollectionOptions{MapReplacements: shared, Cache: kernelTypes}
	options.Programs.KernelTypes = s.kernel // without those of modules, where nothing of ours lies
	return ebpf.NewCollectionWithOptions(spec, options)
}

func (p *probe) detach() {
	closeAll(p.links)
	p.links = nil
}

func (p *probe) close() {
	p.detach()
	for _, prog := range p.programs {
		_ = prog.Close()
	}
}

// misses counts the events for which the kernel did not run a room's programs,
// or the filter's, at all.
func (s *Session) misses(p *probe) int64 {
	programs := slices.Concat(slices.Collect(maps.Values(p.programs)), s.filterPrograms)
	var n uint64
	for _, prog := range programs {
		if stats, err := prog.Stats(); err == nil {
			n += stats.RecursionMisses
		}
	}
	return int64(n)
}

func isTable(m *ebpf.MapSpec) bool {
	value, ok := m.Value.(*btf.Struct)
	return ok && value.Name == m.Name+"_table"
}

// fill makes a spec agree with the shared map that takes its place.
func fill(spec *ebpf.MapSpec, m *ebpf.Map) {
	if spec != nil {
		spec.MaxEntries = m.MaxEntries()
	}
}

func setVariables(spec *ebpf.CollectionSpec, room *Room, firstID int, s *Session) error {
	values := map[string]any{
		"kermit_cpus":       uint32(s.cpus),
		"kermit_wake_bytes": uint64(s.ringSize / 4),
		"kermit_page_shift": uint32(bits.TrailingZeros(uint(os.Getpagesize()))),
	}
	for i, shape := range room.Tables {
		values[shape.Name+"_id"] = uint32(firstID + i)
	}
	for name, value := range values {
		v := spec.Variables[name]
		if v == nil {
			continue // the room does not use it
		}
		if err := v.Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// judges tells whether a source's rows belong to processes: whether any of its
// programs looks into the filter.
func (r *Room) judges(source *Source) bool {
	for _, name := range source.Programs {
		for _, ins := range r.spec.Programs[name].Instructions {
			if ins.Reference() == "kermit_passes" {
				return true
			}
		}
	}
	return false
}

// explain says in a line why a source does not work here.
func explain(err error) string {
	var v *ebpf.VerifierError
	if errors.As(err, &v) {
		return fmt.Sprintf("the kernel refuses the program: %v", v.Cause)
	}
	// The library guesses at the memory limit when it may be any refusal.
	text, _, _ := strings.Cut(err.Error(), " (MEMLOCK may be")
	return strings.ReplaceAll(text, "\n", "; ")
}
