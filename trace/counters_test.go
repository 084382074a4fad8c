// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"sync/atomic"
	"testing"
)

// TestCountersAddUpWhileProbesRun: a row that is being counted is in all
// counters of a reading or in none.
func TestCountersAddUpWhileProbesRun(t *testing.T) {
	table := &liveTable{memory: make([]uint64, 2*countersSize/8), cpus: 2}
	var over atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; !over.Load(); n++ {
			cpu := table.memory[n%2*countersSize/8:]
			atomic.AddUint64(&cpu[0], 1)
			atomic.AddUint64(&cpu[1+n%4], 1)
		}
	}()
	for range 200_000 {
		c := table.counters()
		if sum := c.Filtered + c.Emitted + c.LostRing + c.LostOther; c.Seen != sum {
			t.Errorf("seen %d, accounted for %d", c.Seen, sum)
			break
		}
	}
	over.Store(true)
	<-ended
}
