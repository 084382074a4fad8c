// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest latency that is told from others, in microseconds.
const longest = int64(time.Hour / time.Microsecond)

// times are latencies in microseconds.
type times struct {
	service  *hdrhistogram.Histogram // from the request to the reply
	intended *hdrhistogram.Histogram // from the intended start; nil without target
}

// tally is what became of the operations of one kind.
type tally struct {
	done, failed         times // failed: answered, by notFound or an error
	ok, notFound, errors int64
}

// note counts an operation that the server has answered.
func (t *tally) note(service, intended time.Duration, scheduled bool, err error) {
	into := &t.done
	var reply *replyError
	switch {
	case err == nil:
		t.ok++
	case errors.As(err, &reply):
		t.errors++
		into = &t.failed
	default:
		t.notFound++
		into = &t.failed
	}
	record(&into.service, service)
	if scheduled {
		record(&into.intended, intended)
	}
}

// record makes the histogram when there is something for it: it takes 180 KB.
func record(h **hdrhistogram.Histogram, d time.Duration) {
	if *h == nil {
		*h = hdrhistogram.New(1, longest, 3)
	}
	_ = (*h).RecordValue(min(d.Microseconds(), longest)) // in range, so no error
}

func (t *tally) merge(o *tally) {
	t.done.merge(o.done)
	t.failed.merge(o.failed)
	t.ok += o.ok
	t.notFound += o.notFound
	t.errors += o.errors
}

func (t *times) merge(o times) {
	for _, h := range []struct{ to, from **hdrhistogram.Histogram }{
		{&t.service, &o.service}, {&t.intended, &o.intended},
	} {
		switch {
		case *h.from == nil:
		case *h.to == nil:
			*h.to = *h.from
		default:
			(*h.to).Merge(*h.from)
		}
	}
}
