// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"os"
	"os/exec"
	"testing"
)

// mountTmpfs mounts a small file system over dir for the time of the test.
func mountTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	asRoot(t, "mount", "-t", "tmpfs", "-o", "mode=0777,size="+size, "tmpfs", dir)
	t.Cleanup(func() { asRoot(t, "umount", dir) })
}

func asRoot(t *testing.T, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}
