// SPDX-License-Identifier: Apache-2.0

// Package dataset keeps recordings as directories of Parquet files, one for
// each table of a stream, and finds them again.
//
// # Layout
//
//	D/curated/WORKLOAD/COLLECTION_ID/TABLE.PART.parquet
//	D/baseline/WORKLOAD/COLLECTION_ID/TABLE.PART.parquet   no hook recorded
//	D/.COLLECTION_ID.tmp/                                  of a writer at work
//
// A finished collection has one TABLE.end.parquet for each table. A recording
// under way, or one that died, has parts 0, 1, 2 …
package dataset
