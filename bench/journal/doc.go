// SPDX-License-Identifier: Apache-2.0

// Package journal remembers what a run has changed on the machine, so that it
// is undone whatever ends the run: knobs are put back, processes are ended, its
// working folders are removed.
//
// A run opens a journal, claims the files that it will change, and changes them
// through the journal; it tells the journal each process that it starts. Close
// undoes it all. When the run dies before (SIGKILL, a panic, out of memory), the
// next run's Open or [Restore] does.
//
// # The folder
//
//	/var/lib/kermit/                 for root; else ~/.local/state/kermit
//	    lock                         flock: one at a time claims or restores
//	    5f0c….journal                a run; its flock is held as long as it lives
//
// The lock of a journal tells a live run from a dead one: it goes away with the
// process, and with it the run's claims. A child between fork and exec holds it
// too, so a run is not taken for dead while a child of its is half made.
// Journals of another boot are removed: what they tell of is gone.
//
// Runs see each other only in the same folder.
//
// # The file
//
// One JSON object a line, only ever appended:
//
//	{"run":{"version":1,"what":"kbench run redis","pid":812,"start":90211,"boot_id":"…","mark":"…",…}}
//	{"claim":["/proc/sys/vm/swappiness"]}
//	{"knob":{"name":"swappiness","file":"/proc/sys/vm/swappiness","old":"60","new":"10"}}
//	{"held":true}
//	{"service":{"name":"redis-server","pid":815,"start":90213,"group":815,"session":790}}
//	{"ended":815}
//	{"folder":"/tmp/kbench-redis-2716057"}
//	{"settled":"/tmp/kbench-redis-2716057"}
//
// A knob is written after its record is on the disk; a line without its end is
// one whose act never happened. Records of processes and folders need not be on
// the disk: what outlives the run but not the kernel is enough. A folder is
// settled when it has been removed, or is to stay.
//
// # Putting a knob back
//
// Its file gets the value it had first if it now has the one that the run wrote
// last, or was about to replace. Any other value is somebody else's: it is left
// alone, and said. Until the journal says that the values so far are held, another
// value is what the kernel has made of the run's, and goes, too.
//
// # Ending processes
//
// A process is the run's when
//
//   - its number and its start time are those recorded, in the same pid
//     namespace;
//   - its process group is that of a recorded process that led it, in the same
//     session, and the number of that process is not another's by now;
//   - its environment has the run's mark ([Journal.Mark]), wherever it went; this
//     is how a process is known that was started and not yet recorded;
//   - its parent is one of these.
//
// It gets SIGTERM, and SIGKILL after [Grace]. Signals go through a pidfd, opened
// before the start time is compared, so they reach no other. A process that
// leaves its group and session and overwrites its environment, and whose
// parents have all ended, is not found: such a one is ended only while the run
// lives, by process.EndOrphans.
package journal
