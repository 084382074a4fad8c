// SPDX-License-Identifier: Apache-2.0

// Package bench runs a job while a tracer records: it is the filter between
// ktrace and kparquet.
//
// A [Session] copies the tracer's frames untouched and adds two tables of its
// own, declared right after the tracer's: marker (when the job started and
// ended) and run (one row at the end: what ran, how long, how it ended). Where
// nobody traces it makes the stream itself: system_info, marker and run.
//
// # Order
//
// Nothing of the job escapes the recording, and nothing of the recording is
// lost at its end:
//
//  1. every table of the tracer has arrived, so every probe is attached;
//  2. the tracer's stop socket has answered;
//  3. the marker "start" is written, then the job starts;
//  4. the job has ended and was waited for; the kernel reports a process's exit
//     to the probes before wait returns; the marker "end" is written;
//  5. the tracer is asked to stop; it drains and ends its stream;
//  6. the row of run, and the end frame, last.
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
// The job has a process group of its own, so that Ctrl-C on a terminal reaches
// it once: through the session. The first signal is passed on to the whole
// group; the second kills it; one more, or a second one after the job ended,
// aborts the session. A job in a group of its own cannot read the terminal.
package bench
