// SPDX-License-Identifier: Apache-2.0

// Package stream is the format in which the commands of the suite talk: ktrace
// writes it, kbench passes it on, kparquet reads it. This comment is its
// specification; docs/read_stream.py is a reader of it in Python.
//
// # Frames
//
// A stream is a concatenation of msgpack arrays, called frames. The first
// element of each is its kind:
//
//	[0, {header}]                          once, first
//	[1, name, {table}]                     declares a table, before its first batch
//	[2, name, seq, rows, [column …]]       rows of a table, column by column
//	[9, {}]                                end, nothing follows; a stream without it was cut
//
// Integers may use any msgpack width. Text is msgpack str, in UTF-8; a writer
// replaces a byte that is not with \xNN. Map keys are text. Of msgpack's types,
// ext is not used, and bin only for the columns of a batch. A reader ignores
// map keys that it does not know, and elements of a frame behind those above;
// it refuses an unknown kind.
//
// # Header
//
//	magic         "kermit"
//	version       1; a reader refuses a higher one before it looks at the rest
//	host          host name
//	boot_id       /proc/sys/kernel/random/boot_id
//	kernel        release, as uname -r
//	arch          machine, as uname -m
//	cpus          number of online CPUs
//	page_size     bytes
//	clock         "boottime": every ts_ns is CLOCK_BOOTTIME in nanoseconds
//	boot_unix_ns  wall clock at boot: boot_unix_ns + ts_ns is UNIX time in nanoseconds
//	hooks         [name …] of the hooks that record; empty for a baseline
//	tables        [name …] of all tables that this writer will declare; a filter
//	              (kbench) may declare more
//	stop          {socket, secret}: how to end the writer, see below; both empty
//	              when it cannot be
//	tool          name and version of the writer
//
// The handshake is complete when every table in the header's list has been
// declared. It is complete before the first batch of a probed table.
//
// # Table
//
//	doc           what one row is
//	columns       [{name, type, doc, labels?} …], one at the least
//	source        how the table is filled: "tp_btf", "perf_event", "proc", …
//	unobservable  [text …]: columns or facts that this source cannot see here
//	attrs         {key: text}: facts about all rows, such as a workload's name;
//	              may be missing
//
// Names of tables are unique in a stream, names of columns in a table, and none
// is empty. A column's type is one of bool, i8, i16, i32, i64, u8, u16, u32,
// u64, f64, str. A column of integers or bools with labels, [[number, text] …],
// means the text; a number without a label means its decimal digits.
//
// # Batch
//
// seq counts up from 0 in each table. There are as many columns as the table
// has, in its order. Each is one of
//
//	bin                      rows little-endian values of the type's width, two's
//	                         complement or IEEE 754; a bool is one byte, 0 or 1
//	[[text …], bin]          str: distinct texts, and rows u32 indexes into them,
//	                         from 0, little-endian
//	nil                      nobody can see this column here: every row is NULL
//
// Rows of a table are in the order of one CPU at a time, not of time: sort by
// ts_ns. ktrace sends a batch when it is full, or 100 ms old.
//
// # Stop
//
// The header's socket is the name, without its leading zero byte, of an
// abstract unix stream socket on which the writer listens. To the line "stop
// SECRET" it answers the line "ok", then drains, writes the end frame and ends;
// to "ping SECRET" it answers "ok" and goes on. Any other answer is a refusal.
// A connection carries one request. [Stop] does both.
//
// # Limits
//
// In a frame, the lengths of all bin and str sum up to at most [MaxFrame]
// bytes, there are at most 131,072 values (a bin is one, so is each text), and
// arrays and maps nest at most 16 deep. A batch has at most 16,777,216 rows, a
// stream at most 1,024 tables. A reader checks before it allocates, a writer
// before it writes.
package stream
