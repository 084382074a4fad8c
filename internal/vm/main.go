// SPDX-License-Identifier: Apache-2.0

// Command vm boots Debian's kernels in qemu and runs the rooms' own tests on
// each, the same that run on this machine:
//
//	go run ./internal/vm [-cache .cache/kernels] [KERNEL …]
//
// KERNEL is 5.10, 6.1, 6.12 or newest; without one, all. It prints one table:
// each hook and source, and on each kernel whether its witness agrees, what it
// cannot see there, or why it was refused. A hook that should work and does
// not, a boot that fails, a kernel that cannot be had: exit code 1.
//
// There is no KVM here. Under plain TCG with two threads 6.12 panics when
// probes patch the kernel, so one thread emulates both CPUs.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// kernels of the matrix, by the names that fetch understands.
var kernels = []string{"5.10", "6.1", "6.12", "newest"}

// bootTimeout bounds one kernel: boot, all rooms, power off.
const bootTimeout = 9 * time.Minute

func main() {
	cache := flag.String("cache", ".cache/kernels", "folder of downloaded kernels")
	keep := flag.Bool("v", false, "print each console")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = kernels
	}
	if err := run(*cache, names, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func run(cache string, names []string, verbose bool) error {
	work, err := os.MkdirTemp("", "kermit-vm-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, name := range names {
		if err := command("internal/vm/fetch", name, cache); err != nil {
			return fmt.Errorf("fetch kernel %s: %w", name, err)
		}
	}
	image := filepath.Join(work, "initrd")
	var brought []string
	for _, name := range names {
		brought = append(brought, filepath.Join(cache, name))
	}
	if err := build(work, image, brought); err != nil {
		return err
	}
	results := make([]result, len(names))
	var group sync.WaitGroup
	slots := make(chan struct{}, 2) // one emulator thread a core
	for i, name := range names {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = boot(name, filepath.Join(cache, name, "vmlinuz"), image)
		})
	}
	group.Wait()
	var errs []error
	for _, r := range results {
		if verbose || r.err != nil {
			fmt.Printf("--- console of %s\n%s\n", r.kernel, r.console)
		}
		errs = append(errs, r.err)
	}
	report(os.Stdout, results)
	return errors.Join(errs...)
}

// result of one kernel.
type result struct {
	kernel  string
	release string
	cells   [][3]string // hook, source, verdict
	console string
	err     error
	took    time.Duration
}

// boot runs the image under a kernel and reads its console.
func boot(name, vmlinuz, image string) result {
	start := time.Now()
	r := result{kernel: name}
	qemu := exec.Command("timeout", fmt.Sprint(int(bootTimeout.Seconds())), "qemu-system-x86_64",
		"-accel", "tcg,thread=single", "-cpu", "max", "-m", "3072", "-smp", "2", "-nographic", "-no-reboot", "-nic", "none",
		"-kernel", vmlinuz, "-initrd", image, "-append", "console=ttyS0 quiet panic=-1")
	var console bytes.Buffer
	qemu.Stdout, qemu.Stderr = &console, &console
	err := qemu.Run()
	r.took = time.Since(start)
	r.console = strings.ReplaceAll(console.String(), "\r", "")
	passed := false
	for line := range strings.Lines(r.console) {
		line = strings.TrimSpace(line)
		fields := strings.SplitN(line, "|", 4)
		switch {
		case len(fields) == 4 && fields[0] == "MATRIX":
			r.cells = append(r.cells, [3]string{fields[1], fields[2], fields[3]})
		case strings.Contains(line, "RELEASE "): // behind what the firmware writes
			_, r.release, _ = strings.Cut(line, "RELEASE ")
		case line == "VM-RESULT 0":
			passed = true
		}
	}
	switch {
	case err != nil:
		r.err = fmt.Errorf("kernel %s: boot: %w", name, err)
	case !passed:
		r.err = fmt.Errorf("kernel %s: the tests of the rooms do not pass", name)
	}
	return r
}

func command(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	return c.Run()
}
