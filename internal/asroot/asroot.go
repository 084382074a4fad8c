// SPDX-License-Identifier: Apache-2.0

// Package asroot runs tests that change the machine: as root, for which a user
// needs sudo without a password, and one package at a time.
package asroot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Main is for TestMain: it runs the tests, by sudo unless this is root.
func Main(m *testing.M) {
	if os.Geteuid() == 0 {
		if err := alone(); err != nil {
			fmt.Printf("wait for other tests that change the machine: %v\n", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	if out, err := exec.Command("sudo", "-n", "true").CombinedOutput(); err != nil {
		fmt.Printf("these tests change settings of the machine: run them as root, or let sudo work without a password (%v) %s\n", err, out)
		os.Exit(1)
	}
	// As if root had called: what the tests make is root's, not the user's.
	test := exec.Command("sudo", append([]string{"-n", "env", "SUDO_UID=", os.Args[0]}, os.Args[1:]...)...)
	test.Stdin, test.Stdout, test.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := test.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Printf("run the tests by sudo: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// alone waits until no other package's tests change the machine. The lock lasts
// as long as this process.
func alone() error {
	fd, err := unix.Open(filepath.Join(os.TempDir(), "kermit-machine-tests.lock"), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	for {
		if err := unix.Flock(fd, unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
