// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/dataset"
)

// sample is what one run gave. Times are in nanoseconds.
type sample struct {
	program  program
	attach   float64
	events   float64 // recorded, of the whole machine
	lost     float64
	bytes    float64 // on disk
	recorder cost    // perf, or ktrace
	writer   cost    // kparquet
	rings    float64 // bytes of ktrace's rings that count in its memory
	between  float64 // CPU of kbench while the faults happened
	fixed    float64 // CPU of kbench before and after
}

// program is what bench/faults says about itself.
type program struct {
	NSPerFault float64 `json:"ns_per_fault"`
	Faults     float64 `json:"faults"`
	MinFlt     float64 `json:"minflt"`
	UserUS     float64 `json:"user_us"`
	SysUS      float64 `json:"sys_us"`
}

// cpuPerFault is in nanoseconds.
func (p program) cpuPerFault() float64 { return (p.UserUS + p.SysUS) * 1e3 / p.Faults }

// cost of a process that has ended.
type cost struct{ cpu, memory float64 } // ns, bytes

func costOf(c *exec.Cmd) cost {
	u, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return cost{}
	}
	return cost{cpu: float64(u.Utime.Nano() + u.Stime.Nano()), memory: float64(u.Maxrss) * 1024}
}

func (o options) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(o.bin, name), args...)
	c.Stderr = os.Stderr
	return c
}

func (o options) program() (program, error) {
	var p program
	out, err := o.command("faults", strconv.Itoa(o.faults), "--threads", strconv.Itoa(o.threads)).Output()
	if err == nil {
		err = json.Unmarshal(out, &p)
	}
	if err != nil {
		return p, fmt.Errorf("run faults: %w", err)
	}
	return p, nil
}

func (o options) untraced() (*sample, error) {
	p, err := o.program()
	return &sample{program: p}, err
}

// perf records with perf.
func (o options) perf() (*sample, error) {
	file := filepath.Join(o.dir, "perf.data")
	defer func() { _ = os.Remove(file) }()
	perf := exec.Command("perf", "record", "--quiet", "-e", "page-faults", "-c", "1", "-d", "-a", "-o", file, "--control", "fd:3,4")
	var said bytes.Buffer
	perf.Stderr = &said
	began := time.Now()
	hangUp, err := startAndPing(perf)
	if err != nil {
		return nil, fmt.Errorf("start perf: %w: %s", err, said.String())
	}
	s := &sample{attach: float64(time.Since(began).Nanoseconds())}
	p, runErr := o.program()
	s.program = p
	_ = perf.Process.Signal(syscall.SIGINT)
	_ = perf.Wait() // it ends itself by the signal, its work done
	hangUp()
	if runErr != nil {
		return nil, runErr
	}
	s.recorder = costOf(perf)
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("run perf: %w: %s", err, said.String())
	}
	s.bytes = float64(info.Size())
	if s.events, err = perfReport(file, `SAMPLE events:\s+(\d+)`, "--stats"); err != nil {
		return nil, err
	}
	s.lost, err = perfReport(file, `Total Lost Samples: (\d+)`, "--stdio", "--sort", "comm")
	return s, err
}

// startAndPing starts perf and waits until it answers, which it does once it
// records. The command's --control names the file descriptors 3 and 4. Until
// hangUp both stay open: perf does not finish its file once they have closed.
func startAndPing(perf *exec.Cmd) (hangUp func(), err error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), in.Close())
	}
	hangUp = func() { _, _ = in.Close(), out.Close() }
	perf.ExtraFiles = []*os.File{childIn, childOut}
	err = perf.Start()
	_, _ = childIn.Close(), childOut.Close()
	if err != nil {
		hangUp()
		return nil, err
	}
	if _, err = in.WriteString("ping\n"); err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		_ = perf.Process.Kill()
		_ = perf.Wait()
		hangUp()
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	return hangUp, nil
}

// perfReport finds a number in a report of perf.
func perfReport(file, pattern string, args ...string) (float64, error) {
	out, err := exec.Command("perf", append([]string{"report", "-i", file}, args...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("read perf's recording: %w", err)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("read perf's recording: no %q in its report:\n%s", pattern, out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// read takes the figures of a finished recording under dir.
func (s *sample) read(dir string) error {
	all, err := dataset.List(dir)
	if err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	if len(all) != 1 {
		return fmt.Errorf("read recording: %d collections", len(all))
	}
	meta, err := all[0].Meta("page_fault")
	if err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	c := meta.Counters
	if c == nil || !c.Final {
		return fmt.Errorf("read recording: no final counters")
	}
	s.events = float64(c.Emitted)
	s.lost = float64(c.Lost()+c.Missed) + max(0, s.program.Faults-float64(c.Seen-c.Filtered))
	for _, name := range all[0].Tables["page_fault"] {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("read recording: %w", err)
		}
		s.bytes += float64(info.Size())
	}
	return nil
}

// ringMemory is how many bytes of a process's memory are BPF maps.
func ringMemory(pid int) (float64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of ktrace: %w", err)
	}
	sum, ring := 0.0, false
	for line := range strings.Lines(string(maps)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case !strings.HasSuffix(words[0], ":"): // the first line of a mapping
			ring = strings.Contains(line, "bpf-map") || strings.Contains(line, "bpf_ringbuf")
		case ring && words[0] == "Rss:":
			kib, err := strconv.ParseFloat(words[1], 64)
			if err != nil {
				return 0, fmt.Errorf("read memory of ktrace: %w", err)
			}
			sum += kib * 1024
		}
	}
	return sum, nil
}
