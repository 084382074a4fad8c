// SPDX-License-Identifier: Apache-2.0

// Package trace makes live probes of the rooms in bpf/ and a stream of what
// they see.
//
// A [Room] is read from its object file alone: tables from the BTF of the
// row's struct, ways to attach (sources) from the section kermit.sources,
// programs from sections named SOURCE|KIND/TARGET. It needs no privilege.
//
// [Open] attaches rooms. All share one ring a CPU, so that CPUs do not contend
// and one --ring-size bounds the memory. A record is an 8-byte head, whose low
// half is the table's number, and the row's struct as the compiler laid it out.
//
// Readers are woken when a ring is a quarter full, and by a timer, never by an
// event: a wake-up an event makes a tracer trace itself (300,000 switches in 3
// seconds on an idle machine).
//
// Counters live in arrays that are mapped into memory: reading them takes no
// system call and no privilege, both of which are gone once the probes are
// attached.
package trace
