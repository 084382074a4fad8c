// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Bits of a record's head in the ring, include/uapi/linux/bpf.h.
const (
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
	ringHead    = 8
)

// ring is the reader's side of one BPF ring buffer. We read it in place: the
// data is mapped twice in a row, so a record never wraps.
type ring struct {
	buffer   *ebpf.Map // kept open for its descriptor
	fd       int
	size     uint64
	consumer *uint64 // ours
	producer *uint64 // the kernel's
	data     []byte
	mappings [][]byte
}

func openRing(m *ebpf.Map) (*ring, error) {
	page := os.Getpagesize()
	r := &ring{buffer: m, fd: m.FD(), size: uint64(m.MaxEntries())}
	ours, err := unix.Mmap(r.fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map ring's consumer page: %w", err)
	}
	theirs, err := unix.Mmap(r.fd, int64(page), page+2*int(r.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Munmap(ours)
		return nil, fmt.Errorf("map ring: %w", err)
	}
	r.consumer = (*uint64)(unsafe.Pointer(&ours[0]))
	r.producer = (*uint64)(unsafe.Pointer(&theirs[0]))
	r.data = theirs[page:]
	r.mappings = [][]byte{ours, theirs}
	return r, nil
}

func (r *ring) close() {
	for _, m := range r.mappings {
		_ = unix.Munmap(m)
	}
	_ = r.buffer.Close()
}

// releaseEvery is how many bytes the reader takes before it gives their room
// back: seldom enough that the line is not fought over, often enough that a
// full ring drains while it is read.
const releaseEvery = 64 << 10

// consume hands each finished record to take, in order, and returns their
// number. take must not keep the bytes. It stops where the kernel still
// writes.
func (r *ring) consume(take func(record []byte) error) (int, error) {
	at := atomic.LoadUint64(r.consumer)
	released, n := at, 0
	defer func() { atomic.StoreUint64(r.consumer, at) }()
	for {
		end := atomic.LoadUint64(r.producer)
		if at >= end {
			return n, nil
		}
		for at < end {
			offset := at & (r.size - 1)
			head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[offset])))
			if head&ringBusy != 0 {
				return n, nil
			}
			size := uint64(head &^ (ringBusy | ringDiscard))
			if head&ringDiscard == 0 {
				if err := take(r.data[offset+ringHead : offset+ringHead+size]); err != nil {
					return n, err
				}
				n++
			}
			at += (ringHead + size + 7) &^ 7
			if at-released >= releaseEvery {
				atomic.StoreUint64(r.consumer, at)
				released = at
			}
		}
	}
}
