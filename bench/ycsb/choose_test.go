// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"math"
	"slices"
	"testing"
)

const samples = 200_000

// chooser is a worker without a server, on records 0 … n-1.
func chooser(t *testing.T, distribution string, n int64, properties ...string) *worker {
	t.Helper()
	p := parse(t, append([]string{"operationcount=1000", "requestdistribution=" + distribution}, properties...)...)
	p.RecordCount = n
	d, err := newPlan(p, false)
	check(t, err)
	s := &session{plan: d, records: newRecords(d.threads)}
	for i := range n {
		s.records.add(i)
	}
	w := &worker{session: s, requests: d.requests(s.records, new(zeta))}
	w.operations, w.keys, _ = seeds(1, 0)
	return w
}

func (w *worker) histogram(t *testing.T, samples int) map[int64]int {
	t.Helper()
	h := map[int64]int{}
	for range samples {
		n, ok := w.pick(false)
		if !ok || !w.records.has(n) {
			t.Fatalf("picked %d, %v", n, ok)
		}
		w.records.release(0)
		h[n]++
	}
	return h
}

// TestUniformIsUniform: chi-square with 99 degrees of freedom; 148 is exceeded
// once in a thousand samples, and this sample is always the same.
func TestUniformIsUniform(t *testing.T) {
	chi, mean := 0.0, float64(samples)/100
	h := chooser(t, "uniform", 100).histogram(t, samples)
	for n := range int64(100) {
		chi += math.Pow(float64(h[n])-mean, 2) / mean
	}
	if chi > 148 {
		t.Errorf("chi-square is %.0f", chi)
	}
}

// TestZipfianHasZipfsHead: the r-th most popular record has the share
// 1/r^0.99 over the sum that YCSB takes for 10^10 items, 26.469; the others
// spread theirs over all.
func TestZipfianHasZipfsHead(t *testing.T) {
	const sum, n = 26.46902820178302, 100_000
	h := chooser(t, "zipfian", n).histogram(t, samples)
	var counts []int
	for _, c := range h {
		counts = append(counts, c)
	}
	slices.Sort(counts)
	slices.Reverse(counts)
	for _, rank := range []int{1, 2} {
		want := samples / sum / math.Pow(float64(rank), 0.99)
		if got := float64(counts[rank-1]); math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("rank %d: %.0f of %d, want %.0f", rank, got, samples, want)
		}
	}
	head, want := 0, 0.0
	for r := range 100 {
		head += counts[r]
		want += samples / sum / math.Pow(float64(r+1), 0.99)
	}
	if math.Abs(float64(head)-want) > 0.05*want { // the generator's ranks are an approximation
		t.Errorf("the first 100 have %d of %d, want %.0f", head, samples, want)
	}
}

// TestLatestPrefersNewRecords, also those that came after the start.
func TestLatestPrefersNewRecords(t *testing.T) {
	const n = 10_000
	w := chooser(t, "latest", n)
	zetan := new(zeta).sum(n)
	h := w.histogram(t, samples)
	for rank := range int64(2) {
		want := samples / zetan / math.Pow(float64(rank+1), 0.99)
		if got := float64(h[n-1-rank]); math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("%d before the newest: %.0f of %d, want %.0f", rank, got, samples, want)
		}
	}
	for i := range int64(n) {
		w.records.add(n + i)
	}
	h = w.histogram(t, samples)
	newer := 0
	for i, c := range h {
		if i >= n {
			newer += c
		}
	}
	// The older half has 7 % of the law for all.
	if h[2*n-1] < h[n-1]*10 || float64(newer) < 0.9*samples || float64(newer) > 0.96*samples {
		t.Errorf("the newest has %d, the former newest %d, the newer half %d of %d", h[2*n-1], h[n-1], newer, samples)
	}
}

// TestDeletedRecordsAreNotChosen, though most are.
func TestDeletedRecordsAreNotChosen(t *testing.T) {
	for _, distribution := range []string{"uniform", "zipfian", "latest"} {
		w := chooser(t, distribution, 1000)
		for n := range int64(1000) {
			if n != 17 && n != 730 {
				w.records.take(n)
			}
		}
		if h := w.histogram(t, 500); len(h) != 2 { // histogram fails for one that is not there
			t.Errorf("%s: chosen %v", distribution, h)
		}
		w.records.take(17)
		w.records.take(730)
		if n, ok := w.pick(true); ok {
			t.Errorf("%s: chose %d where nothing is", distribution, n)
		}
	}
}

func TestLengthsStayInTheirRange(t *testing.T) {
	for _, c := range []struct {
		distribution    string
		low, high       int64
		smallest, whole bool // whether low must come up, and all in between
	}{
		{"constant", 3, 9, false, false}, {"uniform", 3, 9, true, true}, {"zipfian", 3, 9, true, true}, {"zipfian", 4, 4, true, true},
	} {
		_, _, random := seeds(3, 0)
		l, seen := lengths(c.distribution, c.low, c.high), map[int64]int{}
		for range 10_000 {
			seen[l.Next(random)]++
		}
		for n := range seen {
			if n < c.low || n > c.high {
				t.Errorf("%v: length %d", c, n)
			}
		}
		if c.smallest != (seen[c.low] > 0) || c.whole != (int64(len(seen)) == c.high-c.low+1) || seen[c.high] == 0 {
			t.Errorf("%v: seen %v", c, seen)
		}
	}
}
