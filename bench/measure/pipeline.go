// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/stream"
	"golang.org/x/sys/unix"
)

// attachPatience is how long a ktrace may take to attach before it counts as
// failed.
const attachPatience = 20 * time.Second

// tracer is a ktrace that records into a pipe.
type tracer struct {
	cmd    *exec.Cmd
	out    *os.File // the pipe's reading end; nothing was read from it
	attach float64  // ns from its start to its complete handshake
}

// startTracer starts ktrace and waits until it records.
func (o options) startTracer(args ...string) (*tracer, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	t := &tracer{cmd: o.command("ktrace", args...), out: out}
	t.cmd.Stdout = in
	began := time.Now()
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ktrace: %w", err)
	}
	_ = in.Close()
	if err := t.await(began.Add(attachPatience)); err != nil {
		_ = out.Close()
		_ = t.cmd.Process.Kill()
		_ = t.cmd.Wait()
		return nil, fmt.Errorf("start ktrace: %w", err)
	}
	t.attach = float64(time.Since(began).Nanoseconds())
	return t, nil
}

// await waits for the complete handshake. It looks at the pipe with tee(2),
// which takes nothing out, so what reads the stream later gets all of it.
func (t *tracer) await(deadline time.Time) error {
	for time.Now().Before(deadline) {
		seen, err := peek(t.out)
		if err != nil {
			return err
		}
		r := stream.NewReader(bytes.NewReader(seen))
		for {
			if _, err := r.Next(); err != nil {
				break // no more is there yet
			}
		}
		if r.Ready() {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("no complete handshake")
}

// peek returns what is in a pipe and leaves it there.
func peek(f *os.File) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	stream.WidenPipe(w)
	n, err := unix.Tee(int(f.Fd()), int(w.Fd()), 1<<20, unix.SPLICE_F_NONBLOCK)
	if errors.Is(err, unix.EAGAIN) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look into pipe: %w", err)
	}
	if n == 0 {
		return nil, errors.New("ktrace ended")
	}
	b := make([]byte, n)
	k, err := r.Read(b)
	return b[:k], err
}

func (t *tracer) end() error {
	if err := t.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("stop ktrace: %w", err)
	}
	return nil
}

// four attaches the four hooks and leaves it at that.
func (o options) four() (*sample, error) {
	t, err := o.startTracer()
	if err != nil {
		return nil, err
	}
	_ = t.out.Close() // SIGPIPE ends it too
	_ = t.end()
	_ = t.cmd.Wait()
	return &sample{attach: t.attach}, nil
}

// unwanted runs the program while ktrace records page faults of another
// process only: each of the program's is filtered out.
func (o options) unwanted() (*sample, error) {
	t, err := o.startTracer("-k", "page_fault", "--comm", "no such name")
	if err != nil {
		return nil, err
	}
	discarded := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, t.out)
		discarded <- err
	}()
	s := &sample{}
	s.program, err = o.program()
	return s, errors.Join(err, t.end(), t.cmd.Wait(), <-discarded, t.out.Close())
}

// ktrace records with ktrace and kparquet, and kbench in between if asked to.
func (o options) ktrace(between bool) (*sample, error) {
	dir := filepath.Join(o.dir, "data")
	defer func() { _ = os.RemoveAll(dir) }()
	t, err := o.startTracer("-k", "page_fault")
	if err != nil {
		return nil, err
	}
	s := &sample{attach: t.attach}
	writer := o.command("kparquet", "-o", dir)
	writer.Stdin = t.out
	var filter *filter
	if between {
		if filter, err = o.startFilter(t.out); err != nil {
			_ = t.out.Close()
			return nil, errors.Join(err, t.end(), t.cmd.Wait())
		}
		writer.Stdin = filter.out
	}
	err = writer.Start()
	_ = t.out.Close()
	if filter != nil {
		_ = filter.out.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start kparquet: %w", err), t.end(), t.cmd.Wait())
	}
	return s, errors.Join(o.record(s, t, filter), t.finish(s, writer, filter), s.read(dir))
}

// record runs the program while everything records, and ends the recording.
func (o options) record(s *sample, t *tracer, f *filter) (err error) {
	if f == nil {
		s.program, err = o.program()
		s.rings, _ = ringMemory(t.cmd.Process.Pid)
		return errors.Join(err, t.end())
	}
	if err := f.await(); err != nil {
		return errors.Join(err, t.end())
	}
	before := threadTime(f.cmd.Process.Pid)
	s.program, err = o.program()
	time.Sleep(300 * time.Millisecond) // the last batch passes
	s.between = threadTime(f.cmd.Process.Pid) - before
	s.rings, _ = ringMemory(t.cmd.Process.Pid)
	return errors.Join(err, f.cmd.Process.Signal(syscall.SIGTERM))
}

// finish waits for all parts and takes their cost.
func (t *tracer) finish(s *sample, writer *exec.Cmd, f *filter) error {
	failed := func(name string, err error) error {
		if err != nil {
			return fmt.Errorf("run %s: %w", name, err)
		}
		return nil
	}
	err := failed("ktrace", t.cmd.Wait())
	if f != nil {
		err = errors.Join(err, failed("kbench", f.cmd.Wait()))
		s.fixed = costOf(f.cmd).cpu - s.between
	}
	err = errors.Join(err, failed("kparquet", writer.Wait()))
	s.recorder, s.writer = costOf(t.cmd), costOf(writer)
	return err
}

// filter is a kbench that waits, as a part of the pipeline.
type filter struct {
	cmd *exec.Cmd
	out *os.File
	log *bufio.Reader
}

func (o options) startFilter(in *os.File) (*filter, error) {
	out, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	f := &filter{cmd: o.command("kbench", "run", "faux"), out: out}
	f.cmd.Stdin, f.cmd.Stdout, f.cmd.Stderr = in, w, nil
	log, err := f.cmd.StderrPipe()
	if err == nil {
		f.log = bufio.NewReader(log)
		err = f.cmd.Start()
	}
	_ = w.Close()
	if err != nil {
		return nil, fmt.Errorf("start kbench: %w", err)
	}
	return f, nil
}

// await waits until kbench has started its job.
func (f *filter) await() error {
	for {
		line, err := f.log.ReadString('\n')
		if err != nil {
			return fmt.Errorf("start kbench: %w", err)
		}
		if strings.HasPrefix(line, "Started benchmark") {
			return nil
		}
	}
}

// threadTime is the CPU time that a process's living threads took, in ns.
func threadTime(pid int) float64 {
	sum := 0.0
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is well formed
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, _ := strconv.ParseFloat(first, 64)
		sum += ns
	}
	return sum
}
