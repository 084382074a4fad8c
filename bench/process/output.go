// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/kermit-trace/kermit/internal/invoker"
)

// drain is a pipe that a program prints to. It belongs to the user whose rights
// the program has, so that it can open /dev/stdout: the pipes that os/exec makes
// are their maker's.
type drain struct {
	read, write *os.File
	copied      chan struct{}
}

// drainTo makes a pipe to a writer.
func drainTo(w io.Writer, as *invoker.User) (*drain, error) {
	r, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	d := &drain{r, write, make(chan struct{})}
	c := as.Credential()
	if err := write.Chown(int(c.Uid), int(c.Gid)); err != nil {
		return nil, errors.Join(err, r.Close(), write.Close())
	}
	go func() {
		defer close(d.copied)
		_, _ = io.Copy(w, r) // who cannot write has said so
		_ = r.Close()
	}()
	return d, nil
}

// outputs gives a program's outputs what they write to: a file as it is, a
// writer by a pipe.
func (p *Process) outputs(s Spec) (err error) {
	p.cmd.Stdout, p.cmd.Stderr = s.Stdout, s.Stderr
	if s.As == nil {
		return nil
	}
	for _, to := range []*io.Writer{&p.cmd.Stdout, &p.cmd.Stderr} {
		if _, file := (*to).(*os.File); file || *to == nil {
			continue
		}
		if to == &p.cmd.Stderr && same(s.Stdout, s.Stderr) {
			p.cmd.Stderr = p.cmd.Stdout // one pipe, in the order of what was printed
			continue
		}
		d, err := drainTo(*to, s.As)
		if err != nil {
			return err
		}
		p.drains = append(p.drains, d)
		*to = d.write
	}
	return nil
}

// same tells whether two writers are one, as far as they can be compared.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // of a type that cannot be compared
	return a == b
}

// started closes what only the program needs, also if it did not start.
func (p *Process) started() {
	for _, d := range p.drains {
		_ = d.write.Close()
	}
}

// drained waits until all that was printed has been read, but not for ever for
// others who hold the pipes open.
func (p *Process) drained() {
	over := time.After(patience)
	for _, d := range p.drains {
		select {
		case <-d.copied:
		case <-over:
			_ = d.read.SetReadDeadline(time.Now())
			<-d.copied
			over = time.After(0)
		}
	}
}
