// SPDX-License-Identifier: Apache-2.0

// Package ycsb is a load generator with the core workload of YCSB, the Yahoo!
// Cloud Serving Benchmark, and deletes, against redis and memcached.
//
// [Parse] reads properties under YCSB's names and with its defaults, [Run]
// loads records or runs operations on them, and [Result.Print] writes what
// YCSB prints.
//
// # Records
//
// Record n has the key user<hash of n> (insertorder=hashed: the hash and its
// bytes are YCSB's, so that both programs mean the same key) or user<n>
// (insertorder=ordered, zeropadding). It has fieldcount fields field0, field1, …
// of random text.
//
//   - redis: a hash with the fields (HSET, HGETALL or HMGET, DEL). For scans,
//     the sorted set _indices in the same database has every key, scored as
//     YCSB scores it (ZADD, ZREM, ZRANGEBYSCORE). It costs an insert a second
//     request and is one key more, so it is kept only if scanproportion > 0, or
//     if the database has one already. A load for a run with scans therefore
//     needs scanproportion too.
//   - memcached: one item usertable-<key> with the fields as JSON. An item has
//     no fields of its own: a read brings all of it and an update replaces it
//     by a whole new record. (YCSB's binding replaces the record by the fields
//     that are written, which shrinks it to one field at the first update.)
//     There are no scans.
//
// # Load and run
//
// A load inserts records insertstart … insertstart+insertcount-1; without
// insertcount, recordcount of them from insertstart on, as YCSB does. A run
// works on the records insertstart … insertstart+insertcount-1, without
// insertcount up to recordcount-1, and inserts new ones from recordcount on. Both
// write over a record that is already there.
//
// # Deletes
//
// Operations choose only records that exist. One bit a record says so; before a
// run on redis every record is asked for (EXISTS, a thousand at a time, which
// leaves the server's LRU clock alone), because an earlier run may have deleted some.
// A record on which another thread is working is not deleted: so no update can
// follow its delete and make half a record. A thread that draws a deleted record
// draws again. memcached forgets by itself and is not asked: what it has not got
// is counted, as Return=NOT_FOUND.
//
// When no record is left and none will be inserted, the run ends with an error.
//
// # Exactness
//
// At the end the server's number of records must be what it was at the start,
// plus created, minus deleted, minus evicted. Created and deleted are counted
// from the server's replies. The number is redis' DBSIZE without the key
// _indices, or memcached's curr_items; evicted is memcached's. Any difference is
// an error: somebody else wrote there, or the server lost something.
//
// # Time
//
// With target, thread i of n starts its operation k at (i + k n) / target seconds, whatever
// became of the operations before: one that had to wait for its turn has waited,
// and that is part of its latency. The section [READ] has service times, from the
// request to its reply, [Intended-READ] the times since the intended start.
// Without target there is nothing intended, and only the former. Latencies are in
// microseconds, up to an hour, exact to three digits (HdrHistogram). As in YCSB, a
// read-modify-write counts as a READ and an UPDATE, too, and operations that did
// not succeed are in [READ-FAILED].
//
// # Repeating
//
// A seed fixes for each thread the sequence of operations, and of records and
// data as long as the set of records does not change under it (inserts and
// deletes of other threads).
//
// # Key distributions
//
// uniform, zipfian (scrambled over the records, constant 0.99) and the lengths of
// fields and scans are those of github.com/pingcap/go-ycsb. Its generators are not
// safe for several threads, so each thread has its own. latest is built here on its
// Zipfian: go-ycsb's own sums over all records for every thread that has one, and
// shared it reads its sum while another thread writes it.
//
// # Limits
//
// A server that closes a connection, or does not answer for a minute, ends the
// run with an error. An error that the server answers with is counted
// (Return=ERROR) and the run goes on.
package ycsb
