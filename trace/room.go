// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/kermit-trace/kermit/stream"
)

// sourcesSection is where SOURCE of kermit.bpf.h puts its text.
const sourcesSection = "kermit.sources"

// Room is a hook as its object file describes it.
type Room struct {
	Name    string
	Tables  []*Shape
	Sources []Source
	spec    *ebpf.CollectionSpec
}

// Source is one way to fill a room's tables.
type Source struct {
	Name         string
	When         string   // conditions on the machine, as SOURCE of kermit.bpf.h has them
	Unobservable []string // columns or facts it cannot see
	Programs     []string // names of its programs
}

// Rooms reads every room of a file system: each folder NAME with a NAME.o.
func Rooms(files fs.FS) ([]*Room, error) {
	objects, err := fs.Glob(files, "*/*.o")
	if err != nil {
		return nil, err
	}
	var rooms []*Room
	for _, object := range objects {
		name := path.Dir(object)
		if path.Base(object) != name+".o" {
			continue
		}
		data, err := fs.ReadFile(files, object)
		if err != nil {
			return nil, err
		}
		room, err := readRoom(name, data)
		if err != nil {
			return nil, fmt.Errorf("read room %s: %w", name, err)
		}
		rooms = append(rooms, room)
	}
	return rooms, nil
}

func readRoom(name string, object []byte) (*Room, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	room := &Room{Name: name, spec: spec}
	if room.Sources, err = readSources(object); err != nil {
		return nil, err
	}
	for _, p := range spec.Programs {
		source, section, ok := strings.Cut(p.SectionName, "|")
		i := slices.IndexFunc(room.Sources, func(s Source) bool { return s.Name == source })
		if !ok || i < 0 {
			return nil, fmt.Errorf("program %s: section %q names no source of the room", p.Name, p.SectionName)
		}
		if err := typeProgram(p, section); err != nil {
			return nil, fmt.Errorf("program %s: %w", p.Name, err)
		}
		room.Sources[i].Programs = append(room.Sources[i].Programs, p.Name)
	}
	for i := range room.Sources {
		slices.SortFunc(room.Sources[i].Programs, func(a, b string) int {
			return attachOrder(spec.Programs[a], spec.Programs[b])
		})
	}
	return room, room.readTables()
}

// readSources splits the text of the SOURCE declarations.
func readSources(object []byte) ([]Source, error) {
	file, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	section := file.Section(sourcesSection)
	if section == nil {
		return nil, fmt.Errorf("no SOURCE is declared")
	}
	text, err := section.Data()
	if err != nil {
		return nil, err
	}
	var sources []Source
	for entry := range bytes.SplitSeq(text, []byte{0}) {
		if len(entry) == 0 {
			continue // padding
		}
		lines := strings.Split(string(entry), "\n")
		if len(lines) < 3 {
			return nil, fmt.Errorf("source %q: no condition", lines[0])
		}
		s := Source{Name: lines[0], When: lines[1]}
		for _, line := range lines[2:] {
			if line != "" {
				s.Unobservable = append(s.Unobservable, line)
			}
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// readTables finds the maps that TABLE declares: their value ends in a row.
func (r *Room) readTables() error {
	for _, m := range r.spec.Maps {
		value, ok := m.Value.(*btf.Struct)
		if !ok || value.Name != m.Name+"_table" {
			continue
		}
		row := value.Members[len(value.Members)-1].Type.(*btf.Array).Type.(*btf.Struct)
		shape, err := newShape(row)
		if err != nil {
			return fmt.Errorf("table %s: %w", m.Name, err)
		}
		r.Tables = append(r.Tables, shape)
	}
	if len(r.Tables) == 0 {
		return fmt.Errorf("no TABLE is declared")
	}
	slices.SortFunc(r.Tables, func(a, b *Shape) int {
		if (a.Name == r.Name) != (b.Name == r.Name) {
			if a.Name == r.Name {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return nil
}

// Table returns the declaration of a room's table as its source fills it;
// source may be nil.
func (s *Shape) Table(source *Source) *stream.Table {
	t := &stream.Table{Name: s.Name, Doc: s.Doc, Columns: slices.Clone(s.columns)}
	if source != nil {
		t.Source, t.Unobservable = source.Name, slices.Clone(source.Unobservable)
	}
	return t
}
