// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kermit-trace/kermit/stream"
)

// Options of a session.
type Options struct {
	Rooms      []*Room
	Source     map[string]string // room -> the one source to use
	BestEffort bool              // leave out a hook that has no way in
	RingSize   int               // bytes of all rings together
	Self       bool              // record the suite's own processes too
	Cost       bool              // measure the probes
	Filter     Filter            // whose rows are wanted
	Started    func() error      // called once rows are due and the header is out; may be nil
	Log        func(format string, args ...any)
}

// Session is a set of attached probes.
type Session struct {
	Tables  []*stream.Table // that the probes fill
	Hooks   []string        // that are attached
	LeftOut []string        // "HOOK: why", with BestEffort
	Nobodys []string        // hooks whose rows belong to no process: the filter does not apply

	options  Options
	kernel   *btf.Spec
	cpus     int // possible, not only online
	ringSize int // bytes of one ring
	rings    *ebpf.Map
	control  *ebpf.Map
	passes   *ebpf.Map // the filters that each process passes
	filter   []io.Closer
	// A fork that these miss is a process that is not followed: it counts as missed in every table.
	filterPrograms []*ebpf.Program
	open           []uint64 // the control array, mapped
	readers        []*ring
	probes         []*probe
	tables         []*liveTable // by number
	stats          io.Closer    // keeps run-time statistics on
}

// NoWay says that no source of a hook works here.
type NoWay struct {
	Hook string
	Errs []error // one a source, in order of preference
}

func (e *NoWay) Error() string {
	s := "attach " + e.Hook + ":"
	for i, err := range e.Errs {
		if i > 0 {
			s += ";"
		}
		s += " " + explain(err)
	}
	return s
}

// Unwrap returns the cause for each source.
func (e *NoWay) Unwrap() []error { return e.Errs }

// Open attaches rooms. Rows are due from the call of [Session.Run] on.
func Open(o Options) (_ *Session, err error) {
	if err := privileged(); err != nil {
		return nil, err
	}
	s := &Session{options: o}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// Below 5.11 maps count against this limit; from there on it does not matter, and lifting it may be refused.
	_ = rlimit.RemoveMemlock()
	if s.kernel, err = kernelTypes.Kernel(); err != nil {
		return nil, fmt.Errorf("read the kernel's BTF: %w", err)
	}
	if s.cpus, err = ebpf.PossibleCPU(); err != nil {
		return nil, err
	}
	if err := s.makeRings(); err != nil {
		return nil, err
	}
	if err := s.openFilter(); err != nil {
		return nil, err
	}
	if o.Cost {
		if s.stats, err = ebpf.EnableStats(0); err != nil { // BPF_STATS_RUN_TIME
			return nil, fmt.Errorf("measure run time of programs: %w", err)
		}
	}
	for _, room := range o.Rooms {
		if err := s.attach(room); err != nil {
			var none *NoWay
			if o.BestEffort && errors.As(err, &none) {
				s.LeftOut = append(s.LeftOut, err.Error())
				continue
			}
			return nil, err
		}
	}
	return s, nil
}

// attach tries a room's sources in order of preference.
func (s *Session) attach(room *Room) error {
	none := &NoWay{Hook: room.Name}
	for i := range room.Sources {
		source := &room.Sources[i]
		if want := s.options.Source[room.Name]; want != "" && want != source.Name {
			continue
		}
		err := source.Holds()
		if err == nil {
			err = room.allowed(source)
		}
		for _, shape := range room.Tables {
			if err == nil {
				err = shape.resolve(s.kernel)
			}
		}
		var p *probe
		if err == nil {
			p, err = s.load(room, source, len(s.tables))
		}
		if err != nil {
			s.options.Log("%s: source %s: %s", room.Name, source.Name, explain(err))
			if log := verifierLog(err); log != "" {
				s.options.Log("%s", log)
			}
			none.Errs = append(none.Errs, fmt.Errorf("%s: %w", source.Name, err))
			continue
		}
		s.options.Log("%s: attached by %s", room.Name, source.Name)
		s.probes = append(s.probes, p)
		s.Hooks = append(s.Hooks, room.Name)
		if s.options.Filter.need() != 0 && !room.judges(source) {
			s.Nobodys = append(s.Nobodys, room.Name)
		}
		for _, t := range p.tables {
			s.tables = append(s.tables, t)
			s.Tables = append(s.Tables, t.table)
		}
		return nil
	}
	return none
}

// makeRings creates one ring for each online CPU. Sizes are powers of two.
func (s *Session) makeRings() error {
	cpus, err := onlineCPUs()
	if err != nil {
		return err
	}
	each := max(s.options.RingSize/len(cpus), os.Getpagesize())
	s.ringSize = 1 << (bits.Len(uint(each)) - 1)
	inner := &ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: uint32(s.ringSize)}
	s.rings, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "kermit_rings", Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: uint32(s.cpus), InnerMap: inner,
	})
	if err != nil {
		return fmt.Errorf("create rings: %w", err)
	}
	for _, cpu := range cpus {
		m, err := ebpf.NewMap(inner)
		if err != nil {
			return fmt.Errorf("create ring of %d bytes for cpu %d: %w", s.ringSize, cpu, err)
		}
		if err := s.rings.Put(uint32(cpu), m); err != nil {
			return fmt.Errorf("place ring: %w", err)
		}
		r, err := openRing(m)
		if err != nil {
			return err
		}
		s.readers = append(s.readers, r)
	}
	const controlSize = 40 // sizeof(struct kermit_control)
	s.control, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "kermit_control", Type: ebpf.Array, KeySize: 4, ValueSize: controlSize, MaxEntries: 1, Flags: mmapable,
	})
	if err != nil {
		return fmt.Errorf("create control: %w", err)
	}
	s.open, err = mapArray(s.control)
	return err
}

const mmapable = 1 << 10 // BPF_F_MMAPABLE, Linux 5.5

// setControl writes what user space sets of struct kermit_control: probes see
// it at once. Its first word comes last: a verdict is kept from then on.
func (s *Session) setControl(open bool, self []uint32) {
	words := make([]uint32, 2+mostSuite)
	words[1] = s.options.Filter.need()
	copy(words[2:], self)
	if open {
		words[0] = 1
	}
	for i := len(words) - 2; i >= 0; i -= 2 {
		atomic.StoreUint64(&s.open[i/2], uint64(words[i])|uint64(words[i+1])<<32)
	}
}

// RingBytes is the memory that all rings take.
func (s *Session) RingBytes() int { return s.ringSize * len(s.readers) }

// Close detaches everything.
func (s *Session) Close() {
	for _, p := range s.probes {
		p.close()
	}
	closeAll(s.filter)
	for _, prog := range s.filterPrograms {
		_ = prog.Close()
	}
	for _, r := range s.readers {
		r.close()
	}
	if s.stats != nil {
		_ = s.stats.Close()
	}
}
