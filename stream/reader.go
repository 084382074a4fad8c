// SPDX-License-Identifier: Apache-2.0

package stream

import (
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
	offset int64 // of buf[at] in the stream
	scan   scanner
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
		in: r, buf: make([]byte, 256<<10), scan: newScanner(), tables: map[string]*Table{}, next: map[string]uint64{},
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
		if !errors.Is(err, io.EOF) {
			err = &Error{Offset: r.offset, Err: err}
		}
		r.failed = err
		return nil, err
	}
	r.offset += int64(len(f.Raw))
	return f, nil
}

func (r *Reader) read() (*Frame, error) {
	if r.ended {
		return nil, r.tail()
	}
	raw, err := r.rawFrame()
	if err != nil {
		return nil, err
	}
	f := &Frame{Raw: raw, offset: r.offset}
	if err := r.parse(f); err != nil {
		return nil, r.refuse(err)
	}
	r.scan = newScanner()
	return f, nil
}

// refuse says of a first frame that is not the header that this is no stream.
func (r *Reader) refuse(err error) error {
	if r.header == nil && !errors.Is(err, ErrVersion) {
		return fmt.Errorf("%w: %w", ErrNotStream, err)
	}
	return err
}

// rawFrame returns the bytes of the next frame.
func (r *Reader) rawFrame() ([]byte, error) {
	for {
		need, err := r.scan.scan(r.buf[r.at:r.end])
		switch {
		case err != nil:
			return nil, r.refuse(err)
		case need == 0:
			raw := r.buf[r.at : r.at+r.scan.at]
			r.at += r.scan.at
			return raw, nil
		case r.eof != nil:
			return nil, r.atEOF()
		}
		r.fill(need)
	}
}

// fill reads until at least need bytes are there, or the input ends.
func (r *Reader) fill(need int) {
	if r.at > 0 {
		copy(r.buf, r.buf[r.at:r.end])
		r.at, r.end = 0, r.end-r.at
	}
	if need > len(r.buf) {
		grown := make([]byte, max(need, min(2*len(r.buf), maxRaw)))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	for r.end < need && r.eof == nil {
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		r.eof = err
	}
}

// atEOF tells what the end of the input means before the end frame.
func (r *Reader) atEOF() error {
	switch {
	case !errors.Is(r.eof, io.EOF):
		return r.eof
	case r.offset == 0 && r.at == r.end:
		return ErrEmpty
	}
	return ErrCut
}

// tail tells what follows the end frame: nothing may.
func (r *Reader) tail() error {
	r.fill(1)
	if r.end > r.at {
		return errors.New("data after the end frame")
	}
	return r.eof
}
