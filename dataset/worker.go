// SPDX-License-Identifier: Apache-2.0

package dataset

import "sync"

// A worker encodes, writes and publishes beside the goroutine that reads the
// stream, one job after the other. After the first error it does nothing more.
type worker struct {
	jobs chan func(*encoder) error
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func startWorker(e *encoder) *worker {
	w := &worker{jobs: make(chan func(*encoder) error, 1), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for job := range w.jobs {
			if w.failure() != nil {
				continue
			}
			if err := job(e); err != nil {
				w.mu.Lock()
				w.err = err
				w.mu.Unlock()
			}
		}
	}()
	return w
}

// do hands over a job. It waits where the worker is two behind.
func (w *worker) do(job func(*encoder) error) { w.jobs <- job }

// failure is the first error so far.
func (w *worker) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// finish waits for all jobs and ends the worker.
func (w *worker) finish() error {
	close(w.jobs)
	<-w.done
	return w.failure()
}
