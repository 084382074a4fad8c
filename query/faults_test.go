// SPDX-License-Identifier: Apache-2.0

package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const faultColumns = "cpu:u16 pid:u32 tgid:u32 address:i64 is_major:bool is_write:bool is_exec:bool comm:str ts_ns:i64 latency_ns:i64%s\n"

// counted is what a process's faults come to, worked out row by row.
type counted struct {
	name                                string
	faults, major, reads, writes, execs int
	latencies                           []int
}

func (c *counted) line(pid int) string {
	slices.Sort(c.latencies)
	quantile := func(percent int) int { return c.latencies[(len(c.latencies)*percent+99)/100-1] }
	return fmt.Sprintf("%d %s %d %d %d %d %d %d %d %d %d %d", pid, c.name, c.faults, c.major, c.faults-c.major, c.reads, c.writes, c.execs,
		quantile(50), quantile(90), quantile(99), c.latencies[len(c.latencies)-1])
}

func TestFaultsByProcessAgreeWithACount(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	text := traceTable
	rows := "table page_fault perf_event\n" + fmt.Sprintf(faultColumns, "")
	all := map[int]*counted{}
	for pid := 1; pid <= 9; pid++ {
		// Each pid lives twice: the first life has a tenth of the faults.
		text += fmt.Sprintf("%d %d 1000000000 old%d start\n%d %d 1900000000 - end\n%d %d 5000000000 new%d start\n", pid, pid, pid, pid, pid, pid, pid, pid)
		for range 100 * pid {
			life, ts := 2*pid, 5_000_000_000
			if random.IntN(10) == 0 {
				life, ts = 2*pid+1, 1_000_000_000
			}
			c := all[life]
			if c == nil {
				c = &counted{name: map[int]string{0: "new", 1: "old"}[life&1] + fmt.Sprint(pid)}
				all[life] = c
			}
			major, kind, latency := random.IntN(20) == 0, random.IntN(3), 500+random.IntN(5000)
			c.faults++
			c.latencies = append(c.latencies, latency)
			for _, n := range []struct {
				to *int
				is bool
			}{{&c.major, major}, {&c.reads, kind == 0}, {&c.writes, kind == 1}, {&c.execs, kind == 2}} {
				if n.is {
					*n.to++
				}
			}
			rows += fmt.Sprintf("0 %d %d %d %v %v %v thread %d %d\n", pid+100*random.IntN(2), pid, 4096*random.IntN(1<<20), major, kind == 1, kind == 2, ts+random.IntN(800_000_000), latency)
		}
	}
	var want []string
	for life, c := range all {
		want = append(want, c.line(life/2))
	}
	got, _ := summarize(t, open(t, text+rows), "faults", Parameters{})
	lines := strings.Split(strings.TrimSpace(pick(t, got, "pid", "name", "faults", "major", "minor", "reads", "writes", "execs",
		"latency_p50_ns", "latency_p90_ns", "latency_p99_ns", "latency_max_ns")), "\n")
	slices.Sort(lines)
	slices.Sort(want)
	same(t, strings.Join(lines, "\n"), strings.Join(want, "\n"))
}

// What the source cannot see is NULL, not zero, and is said.
func TestFaultsOfASourceThatCannotSee(t *testing.T) {
	columns := strings.NewReplacer("is_exec:bool", "is_exec:bool?", "latency_ns:i64", "latency_ns:i64?").Replace(fmt.Sprintf(faultColumns, " error_code:u32?"))
	d := open(t, "table page_fault other\nunobservable faults of the kernel\n"+columns+
		"0 5 5 4096 true true false cat 1000 0 0\n0 5 5 8192 false false false cat 2000 0 0\n")
	got, q := summarize(t, d, "faults", Parameters{})
	same(t, pick(t, got, "pid", "name", "faults", "major", "writes", "reads", "execs", "latency_p50_ns", "latency_max_ns"), "5 cat 2 1 1 - - - -")
	notes := strings.Join(d.Notes(&q), "\n")
	if want := "page_fault: source other cannot see faults of the kernel, is_exec, latency_ns"; !strings.Contains(notes, want) {
		t.Errorf("no %q in %q", want, notes)
	}
	if strings.Contains(notes, "error_code") {
		t.Errorf("a note on a column that was not asked for: %q", notes)
	}
	got, _ = summarize(t, d, "page_fault", Parameters{})
	same(t, pick(t, got, "comm", "faults", "major", "reads", "writes", "execs", "pages", "latency_p50_ns"), "cat 2 1 - 1 - 2 -")
}

const packets = "table tcp_v4_rcv netfilter\nunobservable branch time_wait\nunobservable branch listen_state\n" +
	"branch_type:u8 branch_name:str drop_reason:u16 drop_reason_name:str saddr:str sport:u16 daddr:str dport:u16 comm:str ts_ns:i64 skb_len:u32 packet:i64\n" + `
0 entry            0 none 10.0.0.1 40000 10.0.0.2 80 curl  1000 60 1
8 new_syn_recv     0 none 10.0.0.1 40000 10.0.0.2 80 curl  1001 60 1
0 entry            0 none 10.0.0.1 40000 10.0.0.2 80 curl  2000 100 2
18 established_proc 0 none 10.0.0.1 40000 10.0.0.2 80 curl  2001 100 2
0 entry            0 none 10.0.0.2 80 10.0.0.1 40000 nginx 3000 40 3
18 established_proc 0 none 10.0.0.2 80 10.0.0.1 40000 nginx 3001 40 3
# one packet, dropped, and told of in two rows
0 entry            0 none 10.0.0.1 40001 10.0.0.2 81 curl  4000 20 4
2 no_socket        3 no_socket 10.0.0.1 40001 10.0.0.2 81 curl  4001 20 4
17 rst_sent        3 no_socket 10.0.0.1 40001 10.0.0.2 81 curl  4002 20 4
`

func TestTCPCountsPacketsOnce(t *testing.T) {
	d := open(t, packets)
	got, q := summarize(t, d, "tcp", Parameters{})
	same(t, got, `port,side,comm,packets,received_bytes,drops,branches,reasons
80,server,curl,2,160,0,"{established_proc=1, new_syn_recv=1}",
80,client,nginx,1,40,0,{established_proc=1},
81,server,curl,1,20,1,"{no_socket=1, rst_sent=1}",{no_socket=2}`)
	same(t, strings.Join(d.Notes(&q), "\n"), "tcp_v4_rcv: source netfilter cannot see branch time_wait, branch listen_state")
	got, _ = summarize(t, d, "tcp_v4_rcv", Parameters{})
	same(t, pick(t, got, "branch", "packets", "share", "dropped", "received_bytes"),
		"entry 4 1.0 0 220\nestablished_proc 2 0.5 0 140\nnew_syn_recv 1 0.25 0 60\nno_socket 1 0.25 1 20\nrst_sent 1 0.25 1 20")
}

// A service's port is not always the lower one: a listener's is known by what only it does, another by its many peers.
func TestTCPFindsTheService(t *testing.T) {
	columns, _, _ := strings.Cut(packets, "\n0 entry")
	d := open(t, columns+`
0 entry            0 none 10.0.0.1 35000 10.0.0.2 43000 client 1000 60 1
8 new_syn_recv     0 none 10.0.0.1 35000 10.0.0.2 43000 client 1001 60 1
0 entry            0 none 10.0.0.2 43000 10.0.0.1 35000 server 2000 40 2
# the same number elsewhere is somebody else's: this one was there before, for two
0 entry            0 none 10.0.0.3 50001 10.0.0.3 43000 one    3000 10 3
0 entry            0 none 10.0.0.3 50001 10.0.0.3 39000 one    3000 10 4
0 entry            0 none 10.0.0.3 43000 10.0.0.3 50001 other  3000 10 5
`)
	got, _ := summarize(t, d, "tcp", Parameters{})
	same(t, pick(t, got, "port", "side", "comm", "packets"), "50001 client one 2\n43000 client server 1\n43000 server client 1\n50001 server other 1")
}

func TestRoomsSummaries(t *testing.T) {
	d := open(t, memory)
	got, _ := summarize(t, d, "mm_rss_stat", Parameters{})
	same(t, pick(t, got, "tgid", "events", "file_pages", "anon_pages", "shmem_pages", "swap_pages"), "200 2 11 12 - -\n100 7 7 9 3 2")
	got, _ = summarize(t, d, "process_trace", Parameters{})
	same(t, pick(t, got, "name", "starts", "execs", "ends"), "redis-server 0 1 1\nsh 2 0 0")
}

// Every summary there is runs where its tables are, rows or not.
func TestEverySummaryRunsOnEmptyTables(t *testing.T) {
	list, err := Summaries()
	if err != nil || len(list) < 8 {
		t.Fatalf("%d summaries, %v", len(list), err)
	}
	fault, _, _ := strings.Cut(packets, "\n0 entry")
	d := open(t, traceTable+rssTable+fault+"\ntable page_fault perf_event\n"+fmt.Sprintf(faultColumns, "")+
		"\ntable result kbench\nts_ns:i64 iteration:i64 workload:str phase:str metric:str value:f64 unit:str\n")
	for _, s := range list {
		if s.Doc == "" || s.Doc[0] < 'A' || s.Doc[0] > 'Z' {
			t.Errorf("summary %s is described as %q", s.Name, s.Doc)
		}
		if got, _ := summarize(t, d, s.Name, Parameters{}); strings.Count(got, "\n") != 1 {
			t.Errorf("summary %s of nothing: %s", s.Name, got)
		}
	}
}
