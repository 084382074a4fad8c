// SPDX-License-Identifier: Apache-2.0

package query

import (
	"strings"
	"testing"
)

const (
	traceColumns = "pid:u32 tgid:u32 ts_ns:i64 name:str cap_type:str\n"
	infoColumns  = "pid:u32 tgid:u32 ts_ns:i64 event:str ppid:u32 exit_code:u32 exit_signal:u32 comm:str cmdline:str\n"
)

// lives are events whose processes were worked out by hand, one case a block.
const lives = "table process_trace tp_btf\ncounters missed=0\n" + traceColumns + `
# 100: forked by a shell, becomes env, then python3, renames itself, returns 3
100 100 1000000000 bash start
100 100 1100000000 env exec
100 100 1200000000 python3 exec
100 100 1300000000 worker exec
100 100 1900000000 - end
# 100 again: forked, never execs, killed
100 100 5000000000 bash start
100 100 5500000000 - end
# 200: began before; execs, ends
200 200 2000000000 make exec
200 200 2500000000 - end
# 201: began before; only its end is seen
201 201 2600000000 - end
# 300: starts, goes on
300 300 3000000000 sleep start
# 400: its first thread ends long before the others
400 400 4000000000 java start
401 400 4100000000 java start
401 400 4150000000 gc exec
400 400 4200000000 - end
401 400 4900000000 - end
# 500: a thread execs: the first thread ends, the thread takes its pid
500 500 6000000000 runc start
501 500 6100000000 runc start
500 500 6200000000 - end
500 500 6200001000 app exec
500 500 6900000000 - end
# 510: the same, and it goes on
510 510 6000000000 runc start
511 510 6100000000 runc start
510 510 6200000000 - end
510 510 6200001000 server exec
# 600: began before; its thread ends: no row tells of the process itself
601 600 7000000000 - end
# 700: the start of the second one was lost
700 700 8000000000 cc1 start
700 700 8100000000 - end
700 700 8500000000 as exec
700 700 8600000000 - end
# 800: began before, goes on: it renamed itself
800 800 9000000000 kworker exec
table process_info tp_btf
` + infoColumns + `
100 100 1100000100 exec 50 0 0 env env~python3
100 100 1200000100 exec 50 0 0 python3 python3~x.py
100 100 1900000100 exit 1 3 0 worker -
100 100 5500000100 exit 51 0 9 bash -
200 200 2000000100 exec 52 0 0 make make~all
200 200 2500000100 exit 52 0 0 make -
201 201 2600000100 exit 53 2 0 redis-server -
401 400 4900000100 exit 54 0 0 gc -
500 500 6200001100 exec 55 0 0 app app
500 500 6900000100 exit 55 0 0 app -
700 700 8100000100 exit 56 0 0 cc1 -
700 700 8500000100 exec 57 0 0 as as~-o~x
700 700 8600000100 exit 57 1 0 as -
`

var livesColumns = []string{"pid", "ppid", "name", "start_ns", "end_ns", "exit_code", "exit_signal", "cmdline"}

const livesQuery = "SELECT * FROM process ORDER BY pid, since_ns"

func TestProcessesHaveOneRowEach(t *testing.T) {
	d := open(t, lives)
	same(t, pick(t, ask(t, d, livesQuery), livesColumns...), `
100 50 worker       1000000000 1900000100 3   - python3 x.py
100 51 bash         5000000000 5500000100 137 9 -
200 52 make         -          2500000100 0   - make all
201 53 redis-server -          2600000100 2   - -
300 -  sleep        3000000000 -          -   - -
400 54 java         4000000000 4900000100 0   - -
500 55 app          6000000000 6900000100 0   - app
510 -  server       6000000000 -          -   - -
700 56 cc1          8000000000 8100000100 0   - -
700 57 as           -          8600000100 1   - as -o x
800 -  kworker      -          -          -   - -
`)
}

// Without process_info the end is that of the last thread, once the first has
// ended and no exec has taken its place.
func TestProcessesWithoutExitRows(t *testing.T) {
	trace, _, _ := strings.Cut(lives, "table process_info")
	d := open(t, trace)
	same(t, pick(t, ask(t, d, livesQuery), livesColumns...), `
100 - worker  1000000000 1900000000 - - -
100 - bash    5000000000 5500000000 - - -
200 - make    -          2500000000 - - -
201 - -       -          2600000000 - - -
300 - sleep   3000000000 -          - - -
400 - java    4000000000 4900000000 - - -
500 - app     6000000000 6900000000 - - -
510 - server  6000000000 -          - - -
700 - as      8000000000 8600000000 - - -
800 - kworker -          -          - - -
`)
	if notes := strings.Join(d.Notes(nil), "\n"); !strings.Contains(notes, "process_info") {
		t.Errorf("no note that process_info is missing: %q", notes)
	}
}

// Every moment belongs to one life of a pid, the birth's own rows included.
func TestLivesOfAPidDoNotOverlap(t *testing.T) {
	d := open(t, lives)
	same(t, pick(t, ask(t, d, `SELECT name FROM process p,
		(VALUES (100, 999999000), (100, 1500000000), (100, 4000000000), (100, 4999999900), (100, 6000000000), (700, 8100000200), (700, 8499999999)) v(pid, ts)
		WHERE p.pid = v.pid AND ts BETWEEN since_ns AND until_ns ORDER BY v.pid, ts`), "name"),
		"worker\nworker\nworker\nbash\nbash\ncc1\nas\n")
}

func TestProcessesAreToldApartByCollection(t *testing.T) {
	one := "boot 1000000000000000\ntable process_trace tp_btf\n" + traceColumns + "7 7 1000 a start\n7 7 3000 - end\n"
	two := "boot 2000000000000000\ntable process_trace tp_btf\n" + traceColumns + "7 7 2000 b start\n7 7 2500 - end\n"
	d := open(t, one, two)
	got, _ := summarize(t, d, "processes", Parameters{})
	if !strings.HasPrefix(got, "collection_id,") {
		t.Errorf("two collections, and no collection_id: %s", got)
	}
	lines := strings.Split(strings.TrimSpace(pick(t, got, "name", "duration_ns", "start_time")), "\n")
	for _, want := range []string{"a 2000 1970-01-12 13:46:40.000001", "b 500 1970-01-24 03:33:20.000002"} {
		if len(lines) != 2 || lines[0] != want && lines[1] != want {
			t.Errorf("no %q in %q", want, lines)
		}
	}
	single, _ := summarize(t, open(t, one), "processes", Parameters{})
	if strings.Contains(single, "collection_id") {
		t.Errorf("one collection, and a collection_id: %s", single)
	}
}
