// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

// What a [Reader] finds wrong, to be tested for with errors.Is.
var (
	ErrEmpty     = errors.New("no data: the tracer did not start")
	ErrNotStream = errors.New("not a stream of ktrace")
	ErrVersion   = errors.New("made by a newer ktrace")
	ErrCut       = errors.New("cut: the end frame is missing")
)

// Error tells where a stream is wrong.
type Error struct {
	Offset int64 // bytes from the start of the stream to the frame that is wrong
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("stream: byte %d: %v", e.Offset, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Frame of a stream. It is valid until the next call of [Reader.Next].
type Frame struct {
	Kind   Kind
	Raw    []byte  // the frame as it was read
	Header *Header // of a header frame
	Table  *Table  // of a table frame, and of a batch
	Seq    uint64  // of a batch
	Rows   int     // of a batch
	body   []byte  // of a batch: its columns
	offset int64
}

// Reader reads frames. It keeps one frame in memory, at most twice [MaxFrame].
type Reader struct {
	in     io.Reader
	buf    []byte // read, not yet given out: buf[at:end]
	at     int
	end    int
	eof    error
	offset int64
	header *Header
	tables map[string]*Table
	next   map[string]uint64
	ended  bool
	failed error
	dec    *msgpack.Decoder
}

// NewReader returns a Reader of the frames in r.
func NewReader(r io.Reader) *Reader {
	return &Reader{
		in: r, buf: make([]byte, 256<<10), tables: map[string]*Table{}, next: map[string]uint64{},
		dec: msgpack.NewDecoder(nil),
	}
}

// Header of the stream, nil before it was read.
func (r *Reader) Header() *Header { return r.header }

// Table that was declared under the name, or nil.
func (r *Reader) Table(name string) *Table { return r.tables[name] }

// Ready tells whether every table of the header's list has been declared.
func (r *Reader) Ready() bool {
	if r.header == nil {
		return false
	}
	for _, name := range r.header.Tables {
		if r.tables[name] == nil {
			return false
		}
	}
	return true
}

// Next returns the next frame, the end frame included, and io.EOF after it.
// Any other error is an [*Error]; everything before its offset was given.
func (r *Reader) Next() (*Frame, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	f, err := r.read()
	if err != nil {
		if err != io.EOF {
			err = &Error{Offset: r.offset, Err: err}
		}
		r.failed = err
		return nil, err
	}
	r.offset += int64(len(f.Raw))
	return f, nil
}

func (r *Reader) read() (*Frame, error) {
	raw, err := r.rawFrame()
	if err != nil {
		return nil, err
	}
	f := &Frame{Raw: raw, offset: r.offset}
	if err := r.parse(f); err != nil {
		if r.header == nil && !errors.Is(err, ErrVersion) {
			return nil, fmt.Errorf("%w: %w", ErrNotStream, err)
		}
		return nil, err
	}
	return f, nil
}

// rawFrame returns the bytes of the next frame.
func (r *Reader) rawFrame() ([]byte, error) {
	for {
		n, err := scan(r.buf[r.at:r.end])
		if err == nil && n > 0 && r.end > r.at {
			raw := r.buf[r.at : r.at+n]
			r.at += n
			return raw, nil
		}
		var need needMore
		if err != nil && !errors.As(err, &need) {
			if r.offset == 0 {
				return nil, fmt.Errorf("%w: %w", ErrNotStream, err)
			}
			return nil, err
		}
		if r.eof != nil {
			return nil, r.atEOF()
		}
		r.fill(int(need))
	}
}

// fill reads until at least need bytes are there, or the input ends.
func (r *Reader) fill(need int) {
	if r.at > 0 {
		copy(r.buf, r.buf[r.at:r.end])
		r.at, r.end = 0, r.end-r.at
	}
	if need > len(r.buf) {
		grown := make([]byte, max(need, min(2*len(r.buf), MaxFrame)))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	for r.end < need && r.eof == nil {
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		r.eof = err
	}
}

// atEOF tells what the end of the input means here.
func (r *Reader) atEOF() error {
	rest := r.end - r.at
	switch {
	case r.eof != io.EOF:
		return r.eof
	case r.ended && rest == 0:
		return io.EOF
	case r.offset == 0 && rest == 0:
		return ErrEmpty
	case r.header == nil && rest > 0 && r.buf[r.at]&0xf0 != 0x90:
		return ErrNotStream
	}
	return ErrCut
}

func (r *Reader) parse(f *Frame) error {
	if r.ended {
		return errors.New("data after the end frame")
	}
	body := bytes.NewReader(f.Raw)
	r.dec.Reset(body)
	n, err := r.dec.DecodeArrayLen()
	if err != nil || n < 2 {
		return errors.New("frame is not an array")
	}
	kind, err := r.dec.DecodeUint8()
	if err != nil {
		return errors.New("frame has no kind")
	}
	f.Kind = Kind(kind)
	if (f.Kind == KindHeader) != (r.header == nil) {
		return fmt.Errorf("frame of kind %d: the header comes first, and once", kind)
	}
	switch {
	case f.Kind == KindHeader:
		return r.parseHeader(f)
	case f.Kind == KindTable && n >= 3:
		return r.parseTable(f)
	case f.Kind == KindBatch && n >= 5:
		return r.parseBatch(f, body)
	case f.Kind == KindEnd:
		r.ended = true
		return nil
	}
	return fmt.Errorf("frame of unknown kind %d with %d elements", kind, n)
}

func (r *Reader) parseHeader(f *Frame) error {
	h := &Header{}
	if err := r.dec.Decode(h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if h.Magic != magic {
		return fmt.Errorf("header: magic is %q", h.Magic)
	}
	if h.Version > Version {
		return fmt.Errorf("%w: version %d of the format, this program reads up to %d", ErrVersion, h.Version, Version)
	}
	if h.Clock != "boottime" {
		return fmt.Errorf("header: unknown clock %q", h.Clock)
	}
	r.header, f.Header = h, h
	return nil
}

func (r *Reader) parseTable(f *Frame) error {
	t := &Table{}
	if err := r.dec.DecodeMulti(&t.Name, t); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	for i, c := range t.Columns {
		if len(c.Pairs) == 0 {
			continue
		}
		t.Columns[i].Labels = make(Labels, len(c.Pairs))
		for _, p := range c.Pairs {
			t.Columns[i].Labels[p.Number] = p.Text
		}
		t.Columns[i].Pairs = nil
	}
	if err := t.check(); err != nil {
		return err
	}
	if old := r.tables[t.Name]; old != nil {
		if !old.SameShape(t) {
			return fmt.Errorf("table %s: its columns change in the middle of the stream", t.Name)
		}
		return fmt.Errorf("table %s: declared twice", t.Name)
	}
	r.tables[t.Name], f.Table = t, t
	return nil
}

func (r *Reader) parseBatch(f *Frame, body *bytes.Reader) error {
	name, err := r.dec.DecodeString()
	if err != nil {
		return fmt.Errorf("batch: name: %w", err)
	}
	f.Table = r.tables[name]
	if f.Table == nil {
		return fmt.Errorf("batch: table %q was not declared", name)
	}
	if f.Seq, err = r.dec.DecodeUint64(); err != nil {
		return fmt.Errorf("batch of %s: seq: %w", name, err)
	}
	if f.Seq != r.next[name] {
		return fmt.Errorf("batch of %s: number %d where %d is due", name, f.Seq, r.next[name])
	}
	r.next[name]++
	rows, err := r.dec.DecodeInt64()
	if err != nil || rows < 0 || rows > MaxFrame {
		return fmt.Errorf("batch of %s: bad number of rows", name)
	}
	f.Rows = int(rows)
	f.body = f.Raw[len(f.Raw)-body.Len():]
	return nil
}
