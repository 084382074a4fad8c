// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Passer copies batches from a [Reader] to a [Writer] without reading their
// large columns: from pipe to pipe the kernel moves pages, and copies nothing
// (splice(2)). That costs a quarter of read and write.
//
// The bytes between large columns are read, checked and written as usual. What
// belongs to one frame is gathered in a pipe of its own, the stage, and goes
// out as a whole: the next reader is woken once a frame, and a frame that is
// cut or garbage does not go out at all. Only one that the stage cannot hold
// goes out in parts.
type Passer struct {
	r     *Reader
	w     *Writer
	pipes *pipes // nil: there are none
	held  int    // bytes on the stage
	begun bool   // the frame goes out: w is locked
}

// pipes are the ends of the three pipes that a frame passes.
type pipes struct {
	in, stageIn, stageOut, out int
	stage                      [2]*os.File // keeps the stage open
}

const (
	// passAhead is how much is read beyond what is due: the head of the next
	// column, and a short list of texts.
	passAhead = 256
	// minSplice is the least that is worth two more system calls.
	minSplice = 12 << 10
)

// errHalf is what a Writer fails with once half a frame has gone out.
var errHalf = errors.New("the frame before was cut")

// NewPasser returns a Passer that passes batches of r on to w. It reads and
// writes the files that r and w were made of. An error means that there was no
// pipe to be had for the stage.
func NewPasser(r *Reader, w *Writer) (*Passer, error) {
	p := &Passer{r: r, w: w}
	in, out := pipeOf(r.in), pipeOf(w.out)
	if in == nil || out == nil {
		return p, nil // Batch passes nothing
	}
	stageOut, stageIn, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	WidenPipe(stageIn)
	p.pipes = &pipes{stage: [2]*os.File{stageOut, stageIn}}
	for f, fd := range map[*os.File]*int{
		in: &p.pipes.in, stageIn: &p.pipes.stageIn, stageOut: &p.pipes.stageOut, out: &p.pipes.out,
	} {
		if *fd, err = descriptor(f); err != nil {
			return nil, fmt.Errorf("make pipe: %w", err)
		}
	}
	// A full stage is this goroutine's to empty. What leaves it waits for room
	// in the Writer's pipe.
	if err := errors.Join(unix.SetNonblock(p.pipes.stageIn, true), unix.SetNonblock(p.pipes.stageOut, false)); err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	return p, nil
}

// descriptor is f's, without what File.Fd does: it makes f block again.
func descriptor(f *os.File) (fd int, err error) {
	c, err := f.SyscallConn()
	if err == nil {
		err = c.Control(func(n uintptr) { fd = int(n) })
	}
	return fd, err
}

// pipeOf returns f as a pipe, or nil.
func pipeOf(f any) *os.File {
	file, ok := f.(*os.File)
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return nil
	}
	return file
}

// Batch passes the next frame on, untouched, if it is a batch. It reports false
// if the frame is the caller's to take with [Reader.Next] and to write with
// [Writer.Copy]: one of another kind, the end, an error, a batch that does not
// come from a pipe or go to one. An error of the Reader is an [*Error]; the
// Writer's are others.
func (p *Passer) Batch() (passed bool, err error) {
	r := p.r
	if p.pipes == nil || r.failed != nil || r.ended || r.header == nil || !p.want(2) {
		return false, nil
	}
	if r.buf[r.at]&0xf0 != 0x90 || r.buf[r.at+1] != byte(KindBatch) {
		return false, nil
	}
	defer func() { p.finish(err) }()
	f := &Frame{}
	s, length, err := p.gather(f)
	if err != nil {
		return false, err
	}
	raw := r.buf[r.at : r.at+length]
	r.at += length
	r.offset += int64(s.at)
	if p.held == 0 && !p.begun {
		p.begin()
		return true, p.wrote(f, p.w.write(KindBatch, raw))
	}
	if err = p.hold(raw); err == nil {
		err = p.flush()
	}
	return true, p.wrote(f, err)
}

// begin locks the Writer for the frame that goes out.
func (p *Passer) begin() {
	if !p.begun {
		p.w.mu.Lock()
		p.begun = true
	}
}

// finish unlocks the Writer. After half a frame it writes no more.
func (p *Passer) finish(err error) {
	if !p.begun {
		return
	}
	if err != nil && p.w.failed == nil {
		p.w.failed = errHalf
	}
	p.begun = false
	p.w.mu.Unlock()
}

// wrote keeps the Writer's count of batches, as Copy does.
func (p *Passer) wrote(f *Frame, err error) error {
	if err == nil {
		p.w.next[f.Table.Name] = f.Seq + 1
	}
	return err
}

// gather puts all but the last bytes of a frame on the stage; those, length of
// them, are in the Reader's buffer.
func (p *Passer) gather(f *Frame) (s scanner, length int, err error) {
	r := p.r
	fail := func(err error) (scanner, int, error) {
		var half *writeError
		if errors.As(err, &half) {
			return s, 0, half.error
		}
		r.failed = &Error{Offset: r.offset, Err: err}
		return s, 0, r.failed
	}
	s = newScanner()
	for tokens := 1; !s.done(); tokens++ {
		t, err := p.token(&s, length)
		if err != nil {
			return fail(err)
		}
		rest := length + t.head + t.body - (r.end - r.at)
		switch {
		case f.Table != nil && t.kind == bin && rest >= minSplice:
			if err := p.splice(rest); err != nil {
				return fail(err)
			}
			length = 0
		case !p.want(length + t.head + t.body):
			return fail(r.atEOF())
		default:
			if at := r.at + length + t.head; t.kind == str && !utf8.Valid(r.buf[at:at+t.body]) {
				return fail(fmt.Errorf("%w at byte %d of the frame", errText, s.at))
			}
			length += t.head + t.body
		}
		s.pass(t)
		if tokens == 5 { // array, kind, name, seq, rows
			f.Raw, f.offset = r.buf[r.at:r.at+length], r.offset
			if err := r.parse(f); err != nil {
				return fail(err)
			}
		}
	}
	return s, length, nil
}

// writeError marks an error as the Writer's.
type writeError struct{ error }

// token looks at the value that begins at byte at of the buffer.
func (p *Passer) token(s *scanner, at int) (token, error) {
	r := p.r
	for need := 1; ; {
		if !p.want(at + need) {
			return token{}, r.atEOF()
		}
		t, err := tokenAt(r.buf[r.at+at : r.end])
		if err == nil && r.end-r.at-at < t.head {
			need = t.head
			continue
		}
		if err == nil {
			err = s.limits(t)
		}
		if err != nil {
			err = fmt.Errorf("%w at byte %d of the frame", err, s.at)
		}
		return t, err
	}
}

// done tells whether the whole frame was scanned.
func (s *scanner) done() bool {
	for s.open[s.depth] == 0 {
		if s.depth == 0 {
			return true
		}
		s.depth--
	}
	return false
}

// want reads until n bytes are in the Reader's buffer, but little more: what is
// read cannot be moved. It reports false at the end of the input.
func (p *Passer) want(n int) bool {
	r := p.r
	if r.at+n+passAhead > len(r.buf) {
		copy(r.buf, r.buf[r.at:r.end])
		r.at, r.end = 0, r.end-r.at
	}
	if n > len(r.buf) {
		r.fill(n)
	}
	for r.end-r.at < n && r.eof == nil {
		k, err := r.in.Read(r.buf[r.end:min(len(r.buf), r.at+n+passAhead)])
		r.end += k
		r.eof = err
	}
	return r.end-r.at >= n
}
