// SPDX-License-Identifier: Apache-2.0

// Package sweep makes a collection for each cell of a matrix: workloads and
// their parameters, settings of the machine, sets of hooks, repetitions. It can
// be killed at any moment and started again, until each cell is there once.
//
//	name: thp                      of the sweep; default: the file's, without .yaml
//	workload: redis                a name, a path beginning at the file's folder, a list of such, or
//	                               a mapping of such to parameters of their own
//	set:                           parameters for every workload
//	  record_count: [1000, 10000]  a list is an axis of the matrix
//	  target: 0
//	knobs:                         settings of the machine (package bench/knob)
//	  transparent_hugepages: [never, always]
//	hooks: [[page_fault], []]      a list of hooks, or an axis: a list of such lists. [] makes a baseline
//	repeat: 3                      cells with the same values
//	exclude:                       combinations that are left out, in the words above
//	  - {set: {record_count: 10000}, knobs: {transparent_hugepages: always}}
//	order: random                  or given: the last axis changes fastest
//	seed: 42                       of the random order; default: one that is chosen at the start and noted
//	warmup: 0                      times that each cell runs the workload before it counts
//	timeout: 10m                   for each cell; default: none
//	cpus: 0-3                      for the workload's programs; default: all
//	prefix: lab7                   of the collections' ids; default: none
//
// Only workload and hooks must be there. [Read] checks everything before
// anything starts: keys, names, types, ranges, programs, the right to set a
// knob. In a random order cells are sorted by SHA-256 of "SEED COORDINATES".
//
// # Cells
//
// A cell is one collection, made by [collect.Run]. Where it lies in the matrix is
// in its configuration: table run, column config, and the files' metadata.
//
//	collect:
//	  sweep: thp
//	  sweep_run: 5f0c91ab          drawn when the sweep began
//	  file: thp.yaml
//	  file_sha256: 9c56cc51…
//	  seed: 42
//	  cell: 7
//	  cells: 24
//	  coordinates: {"workload": "redis", "set": {"record_count": "1000"}, "knobs": {…}, "hooks": "page_fault", "repeat": "1"}
//
// The last line is JSON, too. The id begins with PREFIX-NAME-RUN-CELL-.
//
// # The folder
//
//	D/.sweep-NAME/state            what has been begun and how it ended: JSON lines, each on the disk before the next act
//	              log              a line of text for each cell that ended
//	              cell-0007.txt    what its programs printed, the first 16 MiB; removed when the cell is done
//	              lock             flock: held by the sweep, and by the kparquet of a cell until it has ended
//
// and STATE/sweep.lock, STATE being the folder of journals (package
// bench/journal), which is root's for the whole machine: one sweep at a time.
//
// # After a crash
//
// A cell is done when the state says so. It is said after its collection was
// published; "begin" is said before anything of it starts. So at most one cell
// is begun and not ended when a sweep starts. Then
//
//   - settings of the machine are put back and programs ended (bench/journal);
//   - its kparquet, which outlives a killed sweep until it has published what
//     came, is waited for;
//   - its collections are found by the cell's id: one that is whole, and whose
//     workload ended with 0, was published and not yet noted: the cell is done.
//     All else is removed, and the cell runs again;
//   - a cell that was killed three times is taken for the cause, and counts as
//     failed.
//
// # Failed cells
//
// A cell failed when its workload, ktrace or kparquet did. The sweep ends there,
// unless it is to go on. The cell is noted, what it collected stays, and it runs
// again only when that is asked for: then its old collection is removed first.
// A cell that a signal ended is removed and runs again at the next start.
//
// # A file that has changed
//
// A sweep that has begun goes on only with the same cells and the same workloads.
// Comments may change.
package sweep
