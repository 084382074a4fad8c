// SPDX-License-Identifier: Apache-2.0

// Command vm runs the rooms' own tests on this machine's kernel and on Debian's,
// which it boots in qemu:
//
//	go run ./internal/vm [-cache .cache/kernels] [-run REGEXP] [-v] [KERNEL …]
//
// KERNEL is 5.10, 6.1, 6.12, newest, or here; without one, all. It prints one
// table: each hook and source, and on each kernel whether its witness agrees,
// what it cannot see there, or why it was refused. A hook that should work and
// does not, a boot that fails, a kernel that cannot be had: exit code 1.
//
// There is no KVM here. Under plain TCG with two threads 6.12 panics when
// probes patch the kernel, so one thread emulates both CPUs.
//
// The emulator has a fault that looks like one of ours: in qemu 7.2 SETcc into
// a page that the process has not touched yet stores the wrong bit, each time.
// A Go program meets it where it assigns a comparison to a bool in new memory;
// the same assignment by an if is safe.
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
var kernels = []string{"5.10", "6.1", "6.12", "newest", here}

// here is this machine's own kernel, which nothing boots.
const here = "here"

// timeout bounds one kernel: boot, all rooms, power off. It takes some four minutes.
const timeout = 20 * time.Minute

// diskBytes is the size of a virtual machine's disk, which takes what is written.
const diskBytes = 2 << 30

func main() {
	cache := flag.String("cache", ".cache/kernels", "folder of downloaded kernels")
	verbose := flag.Bool("v", false, "print each console")
	tests := flag.String("run", "Rooms", "tests to run, as go test -run names them")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = kernels
	}
	if err := run(*cache, names, *tests, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func run(cache string, names []string, tests string, verbose bool) error {
	work, err := os.MkdirTemp("", "kermit-vm-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.Chmod(work, 0o755); err != nil { // tests run the commands as other users, too
		return err
	}
	brought, err := bring(cache, names)
	if err != nil {
		return err
	}
	root, image := filepath.Join(work, "root"), filepath.Join(work, "initrd")
	if err := build(root, image, brought); err != nil {
		return err
	}
	results := make([]result, len(names))
	var group sync.WaitGroup
	slots := make(chan struct{}, 2) // one emulator thread a core
	for i, name := range names {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if name == here {
				results[i] = watch(name, onThisKernel(root, tests))
				return
			}
			disk := filepath.Join(work, name+".disk")
			if err := makeDisk(disk); err != nil {
				results[i] = result{kernel: name, err: err}
				return
			}
			results[i] = watch(name, emulated(filepath.Join(cache, name, "vmlinuz"), image, disk, tests))
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

// bring fetches kernels, all at once, into folders of the cache.
func bring(cache string, names []string) (folders []string, err error) {
	var group sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		if name == here {
			continue
		}
		folders = append(folders, filepath.Join(cache, name))
		group.Go(func() {
			if err := command("internal/vm/fetch", name, cache); err != nil {
				errs[i] = fmt.Errorf("fetch kernel %s: %w", name, err)
			}
		})
	}
	group.Wait()
	return folders, errors.Join(errs...)
}

// makeDisk makes an empty one.
func makeDisk(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(diskBytes), file.Close())
}

// emulated boots the image under a kernel, with an empty disk.
func emulated(vmlinuz, image, disk, tests string) *exec.Cmd {
	return exec.Command("timeout", fmt.Sprint(int(timeout.Seconds())), "qemu-system-x86_64",
		"-accel", "tcg,thread=single", "-cpu", "max", "-m", "3072", "-smp", "2", "-nographic", "-no-reboot", "-nic", "none",
		"-drive", "format=raw,if=virtio,cache=unsafe,file="+disk,
		"-kernel", vmlinuz, "-initrd", image, "-append", "console=ttyS0 quiet panic=-1 RUN="+tests)
}

// onThisKernel runs the tests where the user is, as root.
func onThisKernel(root, tests string) *exec.Cmd {
	args := []string{"timeout", fmt.Sprint(int(timeout.Seconds())), "env",
		"KERMIT_PREBUILT=" + filepath.Join(root, commands), "RUN=" + tests, "sh", filepath.Join(root, "tests")}
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	c := exec.Command(args[0], args[1:]...)
	c.Dir = "trace"
	return c
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

// watch runs the tests on one kernel and reads what they print.
func watch(name string, tests *exec.Cmd) result {
	start := time.Now()
	r := result{kernel: name}
	var console bytes.Buffer
	tests.Stdout, tests.Stderr = &console, &console
	err := tests.Run()
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
		case line == "ROOMS-RESULT 0":
			passed = true
		}
	}
	switch {
	case err != nil:
		r.err = fmt.Errorf("kernel %s: run: %w", name, err)
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
