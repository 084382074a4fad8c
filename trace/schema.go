// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/kermit-trace/kermit/stream"
)

// Shape is a row as the C struct lays it out, and the columns that follow.
type Shape struct {
	Name    string
	Doc     string
	columns []stream.Column
	fields  []field
	size    int // bytes of a row
}

// field says how a column is made from a row.
type field struct {
	offset int
	size   int // bytes in the row
	kind   fieldKind
	divide int64 // of a quotient
	tags   []string
	labels stream.Labels // of the C type: for a kernel that lacks the enum
}

type fieldKind uint8

const (
	number   fieldKind = iota // copied
	quotient                  // a 64-bit number divided
	text                      // up to the first NUL
	argv                      // arguments, a NUL behind each
	ipv4                      // in network order
)

// newShape derives the columns of a table from the BTF of its row. Labels that
// the running kernel knows are filled in by resolve.
func newShape(row *btf.Struct) (*Shape, error) {
	s := &Shape{Name: row.Name, Doc: tag(row.Tags, "doc:"), size: int(row.Size)}
	for _, m := range row.Members {
		if m.Name == "" || m.BitfieldSize != 0 {
			return nil, fmt.Errorf("member %q: columns are plain members", m.Name)
		}
		column, f, err := s.column(m)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", m.Name, err)
		}
		s.columns, s.fields = append(s.columns, column), append(s.fields, f)
	}
	return s, s.link()
}

func (s *Shape) column(m btf.Member) (stream.Column, field, error) {
	c := stream.Column{Name: m.Name, Doc: tag(m.Tags, "doc:")}
	f := field{offset: int(m.Offset.Bytes()), tags: m.Tags}
	t := btf.UnderlyingType(m.Type)
	if from := tag(m.Tags, "from:"); from != "" {
		array, ok := t.(*btf.Array)
		if !ok || array.Nelems != 0 {
			return c, f, fmt.Errorf("a derived column takes no room: declare %s[0]", m.Name)
		}
		return s.derived(c, f, from, btf.UnderlyingType(array.Type))
	}
	switch t := t.(type) {
	case *btf.Int:
		c.Type = intType(t)
	case *btf.Enum:
		c.Type, c.Labels = enumColumn(t)
	case *btf.Array:
		if e, ok := btf.UnderlyingType(t.Type).(*btf.Int); !ok || e.Size != 1 {
			return c, f, fmt.Errorf("only arrays of char are text")
		}
		c.Type, f.size, f.kind = stream.Str, int(t.Nelems), text
		if slices.Contains(m.Tags, "argv") {
			f.kind = argv
		}
		return c, f, nil
	}
	if c.Type == "" {
		return c, f, fmt.Errorf("type %v is no column", t)
	}
	f.size = c.Type.Width()
	if slices.Contains(m.Tags, "ipv4") {
		c.Type, f.kind = stream.Str, ipv4
	}
	labelTags(&c, m.Tags)
	return c, f, nil
}

// derived is a column computed from one before it: "NAME" or "NAME / N".
func (s *Shape) derived(c stream.Column, f field, from string, t btf.Type) (stream.Column, field, error) {
	name, by, divided := strings.Cut(from, " / ")
	i := slices.IndexFunc(s.columns, func(c stream.Column) bool { return c.Name == name })
	if i < 0 && !divided {
		return c, f, fmt.Errorf("derived from %q, which is no column before it", name)
	}
	if divided {
		n, err := strconv.ParseInt(by, 10, 64)
		if err != nil || n <= 0 {
			return c, f, fmt.Errorf("derived from %q: the divisor is no positive number", from)
		}
		c.Type, f.kind, f.divide = stream.I64, quotient, n
		f.tags = append(f.tags, "of:"+name) // may come later in the row: see link
		return c, f, nil
	}
	c.Type, f.offset, f.size, f.kind = s.columns[i].Type, s.fields[i].offset, s.fields[i].size, s.fields[i].kind
	if e, ok := t.(*btf.Enum); ok {
		_, f.labels = enumColumn(e)
		c.Labels = maps.Clone(f.labels)
	}
	labelTags(&c, f.tags)
	return c, f, nil
}

// link finds the columns that quotients are made from.
func (s *Shape) link() error {
	for i := range s.fields {
		f := &s.fields[i]
		if f.kind != quotient {
			continue
		}
		of := tag(f.tags, "of:")
		j := slices.IndexFunc(s.columns, func(c stream.Column) bool { return c.Name == of })
		if j < 0 || s.columns[j].Type.Width() != 8 || s.fields[j].kind != number {
			return fmt.Errorf("column %s: derived from %q, which is no 64-bit column", s.columns[i].Name, of)
		}
		f.offset, f.size = s.fields[j].offset, 8
	}
	return nil
}

func intType(t *btf.Int) stream.Type {
	switch t.Encoding {
	case btf.Bool:
		return stream.Bool
	case btf.Signed:
		return map[uint32]stream.Type{1: stream.I8, 2: stream.I16, 4: stream.I32, 8: stream.I64}[t.Size]
	}
	return map[uint32]stream.Type{1: stream.U8, 2: stream.U16, 4: stream.U32, 8: stream.U64}[t.Size]
}

func enumColumn(e *btf.Enum) (stream.Type, stream.Labels) {
	labels := make(stream.Labels, len(e.Values))
	for _, v := range e.Values {
		labels[int64(v.Value)] = v.Name
	}
	return map[uint32]stream.Type{1: stream.U8, 2: stream.U16, 4: stream.U32, 8: stream.U64}[e.Size], labels
}

// labelTags adds the labels that LABEL gives one by one.
func labelTags(c *stream.Column, tags []string) {
	for _, t := range tags {
		label, ok := strings.CutPrefix(t, "label:")
		if !ok {
			continue
		}
		digits, name, _ := strings.Cut(label, "=")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			if c.Labels == nil {
				c.Labels = stream.Labels{}
			}
			c.Labels[n] = name
		}
	}
}

// resolve fills in the labels that are the running kernel's.
func (s *Shape) resolve(kernel *btf.Spec) error {
	for i := range s.columns {
		c, f := &s.columns[i], &s.fields[i]
		var e *btf.Enum
		if name := tag(f.tags, "enum:"); name != "" {
			if err := kernel.TypeByName(name, &e); err != nil && len(f.labels) == 0 {
				return fmt.Errorf("column %s: enum %s of the kernel: %w", c.Name, name, err)
			}
		} else if member := tag(f.tags, "enum_with:"); member != "" {
			if e = enumWith(kernel, member); e == nil {
				return fmt.Errorf("column %s: no enum of the kernel has %s", c.Name, member)
			}
		} else {
			continue
		}
		strip := tag(f.tags, "strip:")
		labels := maps.Clone(f.labels)
		if e != nil {
			_, labels = enumColumn(e)
		}
		for n, label := range labels {
			if rest, ok := strings.CutPrefix(label, strip); ok && strip != "" {
				label = strings.ToLower(rest)
			}
			labels[n] = label
		}
		c.Labels = labels
		labelTags(c, f.tags)
	}
	return nil
}

// enumWith finds an enum, named or not, by one of its members.
func enumWith(kernel *btf.Spec, member string) *btf.Enum {
	for t, err := range kernel.All() {
		if err != nil {
			return nil
		}
		if e, ok := t.(*btf.Enum); ok && slices.ContainsFunc(e.Values, func(v btf.EnumValue) bool { return v.Name == member }) {
			return e
		}
	}
	return nil
}

func tag(tags []string, prefix string) string {
	for _, t := range tags {
		if rest, ok := strings.CutPrefix(t, prefix); ok {
			return rest
		}
	}
	return ""
}
