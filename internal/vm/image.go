// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"
	"golang.org/x/tools/txtar"
)

// initScript is the first process of the virtual machine. The kernel itself
// loads further modules where it wants one, by /sbin/modprobe. The tests work on
// a disk: memory's file systems have neither major faults nor swap.
const initScript = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs home /root
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
depmod
for module in virtio_pci virtio_blk tun; do modprobe -q $module; done
mke2fs -b 4096 /dev/vda > /dev/null && mount -t ext4 /dev/vda /tmp || echo "there is no disk"
export KERMIT_PREBUILT=/kermit KERMIT_ALL_MECHANISMS=1 HOME=/root TMPDIR=/tmp
cd /src/trace
grep -q /dev/vda /proc/mounts && . /tests
poweroff -f
`

// testScript runs the tests and says how it went, here and in the virtual machine.
const testScript = `echo "RELEASE $(uname -r)"
$KERMIT_PREBUILT/rooms.test -test.run "${RUN:-Rooms}" -test.count=1
echo "ROOMS-RESULT $?"
`

// applets of busybox that scripts use.
var applets = []string{
	"sh", "mount", "ip", "uname", "poweroff", "cat", "cp", "grep", "sleep", "ls", "mkdir", "rm", "unshare", "kill", "mktemp", "cmp",
	"env", "true", "false", "wc", "head", "tail", "sed", "ps", "pgrep", "id", "touch", "chmod", "rmdir", "test", "depmod", "modprobe", "mke2fs",
	"mkswap", "swapon", "swapoff",
}

// modules that tests need, and with them come those that they depend on. Some
// kernels have some of them built in.
var modules = []string{"virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "xfrm_user", "veth", "bridge", "tun"}

// commands is the image's folder for the four commands, the rooms' test, and in
// witness/ what scripts would compile.
const commands = "kermit"

// build makes an initramfs for all kernels: busybox, the commands, the rooms'
// test, their witnesses, modules, and the libraries that kstat is linked with.
func build(root, image string, kernels []string) error {
	for _, dir := range []string{"bin", commands + "/witness", "proc", "sys", "dev", "tmp", "root", "src/trace/testdata", "src/bpf"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := command("make", "build", "BIN="+filepath.Join(root, commands)); err != nil {
		return fmt.Errorf("build the commands: %w", err)
	}
	test := exec.Command("go", "test", "-c", "-o", filepath.Join(root, commands, "rooms.test"), "./trace")
	test.Env = append(os.Environ(), "CGO_ENABLED=0")
	test.Stderr = os.Stderr
	if err := test.Run(); err != nil {
		return fmt.Errorf("build the rooms' test: %w", err)
	}
	if err := addBusybox(root); err != nil {
		return err
	}
	if err := addLibraries(root, filepath.Join(root, commands, "kstat")); err != nil {
		return err
	}
	if err := addScripts(root); err != nil {
		return err
	}
	for _, kernel := range kernels {
		if err := addModules(root, kernel); err != nil {
			return err
		}
	}
	return pack(root, image)
}

func addBusybox(root string) error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("%w: make deps installs it", err)
	}
	if err := copyFile(path, filepath.Join(root, "bin/busybox")); err != nil {
		return err
	}
	for _, a := range applets {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", a)); err != nil {
			return err
		}
	}
	if err := os.Symlink("bin", filepath.Join(root, "sbin")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(initScript), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "tests"), []byte(testScript), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "src/go.mod"), []byte("module vm\n"), 0o644)
}

// addLibraries copies what the dynamic loader would load.
func addLibraries(root, program string) error {
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return fmt.Errorf("ldd %s: %w", program, err)
	}
	for _, word := range strings.Fields(string(out)) {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(word)), 0o755); err != nil {
			return err
		}
		if err := copyFile(word, filepath.Join(root, word)); err != nil {
			return err
		}
	}
	return nil
}

// addScripts copies the rooms' scripts and compiles each witness that they
// build with "cc OUT FILE.c".
func addScripts(root string) error {
	rooms, err := filepath.Glob("bpf/*/*.txt")
	if err != nil {
		return err
	}
	more, err := filepath.Glob("trace/testdata/*.txt")
	if err != nil {
		return err
	}
	scripts := append(rooms, more...)
	for _, script := range scripts {
		to := filepath.Join(root, "src", script)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyFile(script, to); err != nil {
			return err
		}
		archive, err := txtar.ParseFile(script)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(archive.Comment)) {
			words := strings.Fields(line)
			if len(words) < 3 || words[0] != "cc" {
				continue
			}
			if err := witness(root, archive, words[1], words[2], words[3:]); err != nil {
				return fmt.Errorf("%s: %w", script, err)
			}
		}
	}
	return nil
}

func witness(root string, archive *txtar.Archive, out, source string, flags []string) error {
	for _, file := range archive.Files {
		if file.Name != source {
			continue
		}
		path := filepath.Join(root, "..", source)
		if err := os.WriteFile(path, file.Data, 0o644); err != nil {
			return err
		}
		args := []string{"-O1", "-Wall", "-static", "-pthread", "-o", filepath.Join(root, commands, "witness", out), path}
		return command("gcc", append(args, flags...)...)
	}
	return fmt.Errorf("no file %s", source)
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// pack writes a folder as a cpio archive, the form that the kernel unpacks.
func pack(root, image string) (err error) {
	file, err := os.Create(image)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffered := bufio.NewWriter(file)
	w := cpio.NewWriter(buffered)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return add(w, root, path, info)
	})
	if err == nil {
		err = w.Close()
	}
	return errors.Join(err, buffered.Flush())
}

func add(w *cpio.Writer, root, path string, info fs.FileInfo) error {
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	head, err := cpio.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	if head.Name, err = filepath.Rel(root, path); err != nil {
		return err
	}
	if err := w.WriteHeader(head); err != nil {
		return err
	}
	if target != "" {
		_, err := io.WriteString(w, target)
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = io.Copy(w, file)
	return err
}
