// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// splice puts what is in the Reader's buffer on the stage, and the n bytes that
// follow it in the input.
func (p *Passer) splice(n int) error {
	r := p.r
	if err := p.hold(r.buf[r.at:r.end]); err != nil {
		return &writeError{err}
	}
	r.at = r.end
	for n > 0 {
		k, err := unix.Splice(p.pipes.in, nil, p.pipes.stageIn, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch {
		case err == nil && k == 0:
			return ErrCut
		case err == nil:
			n, p.held = n-int(k), p.held+int(k)
		case errors.Is(err, unix.EAGAIN):
			if err := p.unblock(); err != nil {
				return err
			}
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("splice: %w", err)
		}
	}
	return nil
}

// unblock removes the reason why nothing moves: the stage is full, or else the
// input is empty.
func (p *Passer) unblock() error {
	room, err := poll(p.pipes.stageIn, unix.POLLOUT, 0)
	if err == nil && room {
		_, err = poll(p.pipes.in, unix.POLLIN, -1)
		return err
	}
	if err == nil {
		if err := p.flush(); err != nil {
			return &writeError{err}
		}
	}
	return err
}

// hold writes bytes to the stage.
func (p *Passer) hold(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(p.pipes.stageIn, b)
		switch {
		case err == nil:
			b, p.held = b[n:], p.held+n
		case errors.Is(err, unix.EAGAIN):
			if err := p.flush(); err != nil {
				return err
			}
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("write to own pipe: %w", err)
		}
	}
	return nil
}

// flush moves all from the stage to the Writer's pipe.
func (p *Passer) flush() error {
	p.begin()
	if p.w.failed != nil {
		return p.w.failed
	}
	for p.held > 0 {
		n, err := unix.Splice(p.pipes.stageOut, nil, p.pipes.out, nil, p.held, unix.SPLICE_F_MOVE)
		switch {
		case err == nil:
			p.held -= int(n)
			continue
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN): // whoever shares the pipe made it so
			if _, err = poll(p.pipes.out, unix.POLLOUT, -1); err == nil {
				continue
			}
		}
		p.w.failed = fmt.Errorf("splice: %w", err)
		return p.w.failed
	}
	return nil
}

// poll waits for a file; the timeout is in milliseconds, -1 for none.
func poll(fd int, events int16, timeout int) (ready bool, err error) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, timeout)
		if !errors.Is(err, unix.EINTR) {
			return n > 0, err
		}
	}
}
