// SPDX-License-Identifier: Apache-2.0

// Package bench runs a job while a tracer records: it is the filter between
// ktrace and kparquet.
//
// A [Session] copies the tracer's frames untouched and adds three tables of its
// own, declared right after the tracer's: marker (when the job's phases started
// and ended), result (figures that its programs gave of themselves) and run (one
// row at the end: what ran, how long, how it ended). Where nobody traces it makes
// the stream itself: system_info and its own tables.
//
// Jobs are made by package workload; what a run changes on the machine is put
// back by packages knob and journal; package collect makes whole collections of
// ktrace, a session and kparquet, and package sweep makes many.
//
// # Order
//
// Nothing of the job escapes the recording, and nothing of the recording is
// lost at its end:
//
//  1. every table of the tracer has arrived, so every probe is attached;
//  2. the tracer's stop socket has answered;
//  3. the knobs are set;
//  4. the marker "start" is written, then the job starts;
//  5. the job has ended and was waited for; the kernel reports a process's exit
//     to the probes before wait returns; the marker "end" is written;
//  6. the knobs are put back, and nothing of the job is left running;
//  7. the tracer is asked to stop; it drains and ends its stream;
//  8. the row of run, and the end frame, last.
//
// # When something goes wrong
//
//   - The tracer's stream ends without its end frame, or is garbage: the job
//     goes on to its end, what came is passed on, no end frame is written, so
//     that the next reader sees the cut too.
//   - The reader of the stream goes away: job and tracer are stopped.
//   - The tracer ends in an orderly way before the job: said on stderr.
//
// # Signals
//
// The first signal is passed on to the job, the second kills it; one more, or a
// second one after the job ended, aborts the session.
package bench
