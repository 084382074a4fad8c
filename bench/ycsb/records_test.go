// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"math/rand"
	"sync"
	"sync/atomic"
	"testing"
)

// TestKeysAreThoseOfYCSB: the keys of its first records, as YCSB prints them.
func TestKeysAreThoseOfYCSB(t *testing.T) {
	for n, want := range []string{"user6284781860667377211", "user8517097267634966620", "user1820151046732198393"} {
		if got := string(appendKey(nil, int64(n), "hashed", 1)); got != want {
			t.Errorf("record %d: %s, want %s", n, got, want)
		}
	}
	if got := string(appendKey(nil, 42, "ordered", 6)); got != "user000042" {
		t.Errorf("ordered, padded: %s", got)
	}
	// Java's "user6284781860667377211".hashCode()
	if got := score([]byte("user6284781860667377211")); got != javaHash("user6284781860667377211") {
		t.Errorf("score %d", got)
	}
}

// javaHash is the definition in the manual of java.lang.String: s[0]*31^(n-1) + …,
// in 32 bits.
func javaHash(s string) int32 {
	h, power := uint32(0), uint32(1)
	for i := len(s) - 1; i >= 0; i-- {
		h += uint32(s[i]) * power
		power *= 31
	}
	return int32(h)
}

// TestNoDeleteUnderAWorkingThread: a record that is held is not taken, and one
// that is taken is not held.
func TestNoDeleteUnderAWorkingThread(t *testing.T) {
	const threads, few = 8, 4 // few records, so that threads meet
	r := newRecords(threads)
	var working [few]atomic.Int64 // threads at work; -1000 while it is deleted
	for n := range few {
		r.add(int64(n))
	}
	var group sync.WaitGroup
	var taken, held atomic.Int64
	for thread := range threads {
		group.Go(func() {
			random := rand.New(rand.NewSource(int64(thread)))
			for range 200_000 {
				n := random.Int63n(few)
				if thread%2 == 0 {
					if r.hold(thread, n) {
						held.Add(1)
						if working[n].Add(1) < 0 {
							t.Error("held while it is deleted")
						}
						working[n].Add(-1)
						r.release(thread)
					}
				} else if r.take(n) {
					taken.Add(1)
					if working[n].Add(-1000) != -1000 {
						t.Error("deleted while a thread works on it")
					}
					working[n].Add(1000)
					r.add(n)
				}
			}
		})
	}
	group.Wait()
	if taken.Load() < 1000 || held.Load() < 1000 {
		t.Errorf("taken %d times, held %d times: nothing was tested", taken.Load(), held.Load())
	}
	if r.alive.Load() != few {
		t.Errorf("%d records, want %d", r.alive.Load(), few)
	}
}

func TestNextGoesRoundToWhatExists(t *testing.T) {
	r := newRecords(1)
	for _, n := range []int64{5, 63, 64, 3 * chunkRecords} {
		r.add(n)
	}
	for _, c := range []struct{ from, want int64 }{
		{0, 5}, {5, 5}, {6, 63}, {64, 64}, {65, 3 * chunkRecords}, {3*chunkRecords + 1, 5},
	} {
		if got, ok := r.next(c.from, 0); !ok || got != c.want {
			t.Errorf("from %d: %d %v, want %d", c.from, got, ok, c.want)
		}
	}
	for _, n := range []int64{5, 63, 64, 3 * chunkRecords} {
		if !r.take(n) {
			t.Errorf("%d was not there", n)
		}
	}
	if n, ok := r.next(0, 0); ok {
		t.Errorf("found %d where nothing is", n)
	}
}
