// SPDX-License-Identifier: Apache-2.0

// Package stream is the format in which the commands of the suite talk: ktrace
// writes it, kbench passes it on, kparquet reads it. This comment is its
// specification.
//
// # Frames
//
// A stream is a concatenation of msgpack arrays, called frames. The first
// element of each is its kind:
//
//	[0, {header}]                          once, first
//	[1, name, {table}]                     declares a table, before its first batch
//	[2, name, seq, rows, [column …]]       rows of a table, column by column
//	[9, {}]                                end; a stream without it was cut
//
// Integers may use any msgpack width. Map keys are strings; a reader ignores
// keys it does not know.
//
// # Header
//
//	magic         "kermit"
//	version       1; a reader refuses a higher one
//	host          host name
//	boot_id       /proc/sys/kernel/random/boot_id
//	kernel        release, as uname -r
//	arch          machine, as uname -m
//	cpus          number of online CPUs
//	page_size     bytes
//	clock         "boottime": every ts_ns is CLOCK_BOOTTIME in nanoseconds
//	boot_unix_ns  wall clock at boot: boot_unix_ns + ts_ns is UNIX time
//	hooks         names of the hooks that record; empty for a baseline
//	tables        names of all tables that this writer will declare; a filter
//	              (kbench) may declare more
//	stop          {socket, secret}: how to end the writer, see [Stop]
//	tool          name and version of the writer
//
// The handshake is complete when every table in the header's list has been
// declared. It is complete before the first batch of a probed table.
//
// # Table
//
//	doc           what one row is
//	columns       [{name, type, doc, labels?}]
//	source        how the table is filled: "tp_btf", "perf_event", "proc", …
//	unobservable  columns or facts that this source cannot see here
//	attrs         {key: text}: facts about all rows, such as a workload's name
//
// A column's type is one of bool, i8, i16, i32, i64, u8, u16, u32, u64, f64,
// str. A column of integers with labels, [[number, text] …], means the text;
// a number without a label means its decimal digits.
//
// # Batch
//
// seq counts up from 0 in each table. Each column is one of
//
//	bin                      rows little-endian values of the type's width;
//	                         a bool is one byte, 0 or 1
//	[[text …], bin]          str: distinct texts, and rows u32 indexes into them
//	nil                      nobody can see this column here: NULL
//
// Text is UTF-8. A writer replaces a byte that is not with \xNN.
//
// # Limits
//
// The lengths of all bin and str of a frame sum up to at most [MaxFrame]
// bytes, and a frame has at most 131,072 values (a bin is one, so is each
// text). A reader checks before it allocates, a writer before it writes.
package stream
