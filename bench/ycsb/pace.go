// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pacer lets a thread sleep to the point. time.Sleep is late by a millisecond
// on an idle machine, because Go's poller waits in whole milliseconds; a timer
// that is a file descriptor wakes the poller itself, within some 50 µs.
type pacer struct {
	fd   int
	file *os.File
}

func newPacer() (*pacer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	return &pacer{fd, os.NewFile(uintptr(fd), "timer")}, nil
}

// wait returns at the time, or when interrupt is called.
func (p *pacer) wait(until time.Time) {
	d := time.Until(until)
	if d <= 0 {
		return
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	if unix.TimerfdSettime(p.fd, 0, &at, nil) != nil {
		return // cannot be: the descriptor is open and the value valid
	}
	var expirations [8]byte
	_, _ = p.file.Read(expirations[:])
}

// interrupt ends all waiting, from any thread.
func (p *pacer) interrupt() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) }

func (p *pacer) close() { _ = p.file.Close() }
