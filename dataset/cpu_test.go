// SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime that this process has taken so far.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	must(tb, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
