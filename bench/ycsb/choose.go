// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"math"
	"math/rand"
	"runtime"
	"sync"

	"github.com/pingcap/go-ycsb/pkg/generator"
)

// number is a distribution of whole numbers; each thread has its own.
type number interface {
	Next(*rand.Rand) int64
}

// lengths is the distribution of a length from low to high.
func lengths(distribution string, low, high int64) number {
	switch {
	case distribution == "constant" || low == high:
		return generator.NewConstant(high)
	case distribution == "uniform":
		return generator.NewUniform(low, high)
	}
	// Where its power rounds to 1, the generator's number is one too high.
	return capped{generator.NewZipfianWithRange(low, high, generator.ZipfianConstant), high}
}

type capped struct {
	number
	high int64
}

func (c capped) Next(r *rand.Rand) int64 { return min(c.number.Next(r), c.high) }

// requests is the distribution of records that operations ask for. Records that
// do not exist can come out.
func (d *plan) requests(r *records, z *zeta) number {
	switch d.RequestDistribution {
	case "zipfian":
		return generator.NewScrambledZipfian(d.low, d.high+d.expectedInserts()-1, generator.ZipfianConstant)
	case "latest":
		return &latest{records: r, low: d.low, zeta: z}
	}
	return generator.NewUniform(d.low, d.high-1)
}

// latest prefers new records: the newest is the most popular, by Zipf's law.
type latest struct {
	records *records
	low     int64
	zeta    *zeta
	ranks   *generator.Zipfian
	over    int64 // records that ranks is for
}

// Next draws a record. The law is for the number of records there were when
// that last grew by a tenth: where it ends makes no visible difference to its head.
func (l *latest) Next(r *rand.Rand) int64 {
	last := l.records.last.Load()
	n := max(1, last-l.low+1)
	if l.ranks == nil || n > l.over+l.over/10 {
		l.over = n
		l.ranks = generator.NewZipfian(0, n-1, generator.ZipfianConstant, l.zeta.sum(n))
	}
	return max(l.low, last-l.ranks.Next(r))
}

// zeta sums 1/i^0.99, once for all threads: that takes 50 ns an i.
type zeta struct {
	sync.Mutex
	n     int64
	value float64
}

// sum is that over i = 1 … n.
func (z *zeta) sum(n int64) float64 {
	z.Lock()
	defer z.Unlock()
	for ; z.n > n; z.n-- { // a thread that asks a little later than another
		z.value -= 1 / math.Pow(float64(z.n), generator.ZipfianConstant)
	}
	for ; z.n < n; z.n++ {
		z.value += 1 / math.Pow(float64(z.n+1), generator.ZipfianConstant)
	}
	return z.value
}

// draws is how often a thread draws before it takes the next record that
// exists: with one record in ten alive, one in 37,000 choices comes to that.
const draws = 100

// pick chooses an existing record and holds it for the thread, or takes it to
// be deleted; false if there is none.
func (w *worker) pick(takes bool) (int64, bool) {
	got := func(n int64) bool {
		if takes {
			return w.records.take(n)
		}
		return w.records.hold(w.thread, n)
	}
	n := w.low
	for range draws {
		if n = w.requests.Next(w.keys); got(n) {
			return n, true
		}
	}
	for !w.stop.Load() {
		found, ok := w.records.next(n, w.low)
		if !ok && w.records.alive.Load() == 0 {
			return 0, false
		}
		if ok && got(found) {
			return found, true
		}
		n = found + 1
		runtime.Gosched() // others hold what there is
	}
	return 0, false
}
