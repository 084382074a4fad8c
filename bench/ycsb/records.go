// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"strconv"
	"sync/atomic"
)

// appendKey appends the key of record n as YCSB names it: FNV-1a over the
// number's eight bytes, the lowest first, without its sign.
func appendKey(to []byte, n int64, order string, padding int64) []byte {
	if order == "hashed" {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		h := fnv.New64a()
		_, _ = h.Write(b[:])
		if n = int64(h.Sum64()); n < 0 {
			n = -n
		}
	}
	to = append(to, "user"...)
	digits := strconv.AppendInt(make([]byte, 0, 20), n, 10)
	for i := int64(len(digits)); i < padding; i++ {
		to = append(to, '0')
	}
	return append(to, digits...)
}

// chunk is the records of one allocation: 2 Mi of them in 256 KiB.
type chunk [1 << 15]atomic.Uint64

const (
	chunkRecords = 64 * int64(len(chunk{}))
	maxInserted  = maxRecords // beside the maxRecords there may be at the start
)

// records knows which records exist, one bit for each, and on which of them
// threads are working. All methods are safe for several threads.
//
// The rule for a delete is that of hazard pointers: a thread writes down the
// record it is going to work on, and then looks whether it exists; one that
// deletes marks it as gone, and then looks whether anybody has written it down.
// Go's atomic operations are sequentially consistent, so one of both sees the other.
type records struct {
	chunks []atomic.Pointer[chunk]
	alive  atomic.Int64 // number of records that exist
	last   atomic.Int64 // highest one that ever did
	busy   []slot       // by thread
}

// slot is the record a thread works on, plus 1; alone in its cache lines.
type slot struct {
	record atomic.Int64
	_      [120]byte
}

func newRecords(threads int) *records {
	r := &records{
		chunks: make([]atomic.Pointer[chunk], (maxRecords+maxInserted)/chunkRecords),
		busy:   make([]slot, threads),
	}
	r.last.Store(-1)
	return r
}

func (r *records) word(n int64) *atomic.Uint64 {
	c := &r.chunks[n/chunkRecords]
	for c.Load() == nil {
		c.CompareAndSwap(nil, new(chunk))
	}
	return &c.Load()[n%chunkRecords/64]
}

func (r *records) has(n int64) bool {
	c := r.chunks[n/chunkRecords].Load()
	return c != nil && c[n%chunkRecords/64].Load()&(1<<(n%64)) != 0
}

// add notes that record n exists.
func (r *records) add(n int64) {
	if r.word(n).Or(1<<(n%64))&(1<<(n%64)) == 0 {
		r.alive.Add(1)
	}
	for last := r.last.Load(); last < n; last = r.last.Load() {
		if r.last.CompareAndSwap(last, n) {
			return
		}
	}
}

// hold keeps record n from being deleted until release. It fails if the record
// does not exist.
func (r *records) hold(thread int, n int64) bool {
	r.busy[thread].record.Store(n + 1)
	if r.has(n) {
		return true
	}
	r.release(thread)
	return false
}

func (r *records) release(thread int) { r.busy[thread].record.Store(0) }

// take marks record n as gone. It fails if that does not exist or is held.
func (r *records) take(n int64) bool {
	w, bit := r.word(n), uint64(1)<<(n%64)
	if w.And(^bit)&bit == 0 {
		return false
	}
	for i := range r.busy {
		if r.busy[i].record.Load() == n+1 {
			w.Or(bit)
			return false
		}
	}
	r.alive.Add(-1)
	return true
}

// next returns the first record from n on that exists, going round at the end
// to low; false if there is none.
func (r *records) next(n, low int64) (int64, bool) {
	last := r.last.Load()
	if found, ok := r.scan(n, last); ok {
		return found, true
	}
	return r.scan(low, min(n-1, last))
}

// scan finds the first existing record of from … to.
func (r *records) scan(from, to int64) (int64, bool) {
	for n := from; n <= to; {
		c := r.chunks[n/chunkRecords].Load()
		if c == nil {
			n = (n/chunkRecords + 1) * chunkRecords
			continue
		}
		if w := c[n%chunkRecords/64].Load() >> (n % 64); w != 0 {
			n += int64(bits.TrailingZeros64(w))
			return n, n <= to
		}
		n = (n/64 + 1) * 64
	}
	return 0, false
}
