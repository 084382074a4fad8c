// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_BOOTTIME in nanoseconds: the clock of every ts_ns.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("stream: CLOCK_BOOTTIME: " + err.Error()) // since Linux 2.6.39
	}
	return ts.Nano()
}

// bootUnixNS is the wall clock at boot. The two clocks are read one after the
// other; of several tries the one with the shortest gap counts.
func bootUnixNS() int64 {
	best, boot := int64(1<<62), int64(0)
	for range 5 {
		a := Now()
		wall := time.Now().UnixNano()
		b := Now()
		if b-a < best {
			best, boot = b-a, wall-(a+b)/2
		}
	}
	return boot
}
