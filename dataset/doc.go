// SPDX-License-Identifier: Apache-2.0

// Package dataset keeps recordings as directories of Parquet files, one for
// each table of a stream, finds them again, and checks them.
//
// # Layout
//
//	D/curated/WORKLOAD/COLLECTION_ID/TABLE.PART.parquet
//	D/baseline/WORKLOAD/COLLECTION_ID/TABLE.PART.parquet   no hook recorded
//	D/.COLLECTION_ID.tmp/                                  of a writer at work
//
// A finished collection has one TABLE.end.parquet for each table that the
// stream declared, also for one without rows. A recording under way, or one
// that died, has parts 0, 1, 2 …
//
// # Publication
//
// A file is written under a name that does not end in .parquet, brought to the
// disk, and renamed; then its directory is brought to the disk. So whatever
// dies, every TABLE.PART.parquet opens in any reader, and what is missing came
// after the last rotation. At the end the parts are merged, row groups copied
// as they are, in the temporary directory, which then changes places with the
// collection's (RENAME_EXCHANGE): no reader of the collection sees a row twice.
// Where the file system cannot exchange, the collection is away for a moment.
// [Recover] finishes what a dead writer left; whether it is dead tells a lock
// on a file, which the kernel takes away with the process.
//
// # Files
//
// Integers of any width are INT64, flags BOOLEAN, floats DOUBLE, texts and
// labelled numbers STRING, in the order the stream declares them, followed by
// collection_id. A number beyond INT64 is an error. All columns but
// collection_id are optional: a source may be unable to see one. Rows are
// sorted by (cpu, ts_ns), or ts_ns, within a row group. Columns with few
// distinct values are dictionaries, other integers deltas, all of it zstd; each
// page has a checksum.
//
// The footer's key-value metadata carry what [Meta] has: kermit.doc,
// kermit.columns (JSON, column to doc), kermit.order (JSON, columns as
// declared), kermit.source, kermit.unobservable (JSON), kermit.attrs (JSON),
// kermit.header (JSON), kermit.counters (JSON), kermit.complete, kermit.tool and
// kermit.config.
//
// # Memory
//
// A [Writer] holds rows until they fill a row group. Over all tables they take
// an eighth of its memory before the largest table's are written, so it is the
// same for one table and for hundreds, for a second and for a day.
package dataset
