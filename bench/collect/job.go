// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kermit-trace/kermit/bench"
	"github.com/kermit-trace/kermit/bench/workload"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// job is a workload under a name of its own, which can be ended in order.
type job struct {
	*workload.Job
	name   string
	config *yaml.Node
	ended  func(time.Duration) // nil: nobody wants to know
	begun  atomic.Bool
	asked  atomic.Bool // to end in order
}

// newJob wraps a job; more is added to its configuration.
func newJob(of *workload.Job, name string, more any) (*job, error) {
	j := &job{Job: of, name: name, config: &yaml.Node{}}
	if err := j.config.Encode(of.Config()); err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	if more != nil {
		key, value := &yaml.Node{}, &yaml.Node{}
		key.SetString("collect")
		if err := value.Encode(more); err != nil {
			return nil, fmt.Errorf("encode configuration: %w", err)
		}
		j.config.Content = append(j.config.Content, key, value)
	}
	return j, nil
}

// Workload implements [bench.Job].
func (j *job) Workload() string { return j.name }

// Config implements [bench.Job].
func (j *job) Config() any { return j.config }

// Run implements [bench.Job]. A workload that was asked to end in order has no
// exit code of its own.
func (j *job) Run(r bench.Recorder) (int, error) {
	j.begun.Store(true)
	began := time.Now()
	code, err := j.Job.Run(r)
	if j.ended != nil {
		j.ended(time.Since(began))
	}
	if err == nil && j.asked.Load() {
		code = 0
	}
	return code, err
}

// endWhen ends the job in order once the channel is closed; one that has not
// begun yet ends as soon as it begins.
func (j *job) endWhen(end, over <-chan struct{}) {
	select {
	case <-end:
		j.asked.Store(true)
		j.Signal(unix.SIGINT)
	case <-over:
	}
}

// gone ends the job when nobody takes what it records.
func (j *job) gone() { j.Signal(unix.SIGTERM) }
