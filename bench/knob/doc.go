// SPDX-License-Identifier: Apache-2.0

// Package knob changes settings of the machine for a run, and tells what they
// were before and during it.
//
// A setting is a name and a value:
//
//	transparent_hugepages         always|madvise|never
//	transparent_hugepages_defrag  always|defer|defer+madvise|madvise|never
//	overcommit_memory             heuristic|never_check|always_check, which are the kernel's 0, 1, 2
//	khugepaged_scan_sleep_millis  a number of ms
//	swappiness                    0 to 200
//	cpu_governor                  one that every CPU has
//	drop_caches                   1, 2 or 3: what the kernel forgets once
//	vm.dirty_ratio                any sysctl by its name
//	/sys/block/vda/queue/nr_requests
//	                              any file below /proc/sys or /sys
//
// The value no_change leaves a setting alone, and so does none in YAML. The
// first four are KernMLOps' names and words; its never_check is the kernel's
// mode 1, in which every allocation is granted.
//
// A [Set] is an ordered list of settings. [Set.Check] refuses, before anything
// starts, names and words that nobody knows, numbers out of range, files that
// this kernel does not have, and those that the caller may not write.
// [Set.Apply] takes them for a run: it asks the journal for all files at once,
// so that no other run touches them, then for each one reads the old value, has
// the journal record it and write the new one, and reads back what the kernel
// made of it. A kernel that made something else of it than was asked gets the
// old value back, and that is an error. What Apply has changed the journal puts
// back: package bench/journal.
//
// A drop of the page cache cannot be put back, nor is it journaled.
//
// # Files
//
// A file holds one line. Where it shows all choices with the one in force in
// brackets ("always [madvise] never"), that one is its value. Values are equal
// when their words are, or when both are the same number; what a kernel shows
// as Y and N is also 1 and 0.
package knob
