// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// small are parameters with which a run of redis or memcached takes a moment.
func small(more ...string) []string {
	args := []string{"--set", "record_count=500", "--set", "operation_count=2000", "--set", "field_count=4", "--set", "target=0"}
	for _, m := range more {
		args = append(args, "--set", m)
	}
	return args
}

// latencies are the results of operations of YCSB.
func latencies(operations ...string) []string {
	all := []string{"throughput operations/s", "run_time ms", "records "}
	for _, o := range operations {
		all = append(all, o+"_operations ", o+"_avg us", o+"_p50 us", o+"_p99 us", o+"_p99.9 us", o+"_max us")
	}
	return all
}

// TestBuiltinWorkloads runs each with the real programs.
func TestBuiltinWorkloads(t *testing.T) {
	for name, c := range map[string]struct {
		workload string
		args     []string
		results  []string // "METRIC UNIT" of the phase run, each of which must be positive
		zero     []string // which must be 0
		markers  string   // phases that ended, in order
	}{
		"iperf3": {"iperf3", []string{"--set", "client_duration=1", "--set", "server_port=0"},
			[]string{"throughput bits/s", "sent bytes", "received bytes", "duration s"}, nil, "run"},
		"redis": {"redis", small("delete_proportion=0.1", "insert_proportion=0.1", "rmw_proportion=0.1", "thread_count=3"),
			latencies("READ", "UPDATE", "INSERT", "DELETE", "READ-MODIFY-WRITE"), nil, "load run"},
		"redis with scans": {"redis", small("scan_proportion=0.2", "request_distribution=latest"), latencies("SCAN"), nil, "load run"},
		"redis with target": {"redis", small("target=5000", "request_distribution=zipfian", "field_length_distribution=zipfian"),
			latencies("READ", "Intended-READ"), nil, "load run"},
		"redis in loops": {"redis", small("repeat=2", "outer_repeat=2", "explicit_purge=true", "sleep=10ms", "server_sleep=10ms"),
			latencies("READ", "UPDATE"), nil, "load purge run purge run purge load purge run purge run"},
		"memcached": {"memcached", small("delete_proportion=0.1", "insert_proportion=0.1", "repeat=2", "sleep=10ms"),
			latencies("READ", "UPDATE", "DELETE"), nil, "load run load run"},
		"nginx": {"nginx", []string{"--set", "nginx_port=0", "--set", "wrk_duration=1s", "--set", "wrk_connections=20"},
			[]string{"throughput requests/s", "requests ", "received bytes", "duration us", "latency_mean us", "latency_p50 us", "latency_p99 us", "latency_p99.9 us"},
			[]string{"errors_connect ", "errors_status ", "errors_read ", "errors_write "}, "run"},
		"stress-ng": {"stress-ng", []string{"--duration", "1s", "--set", "stressor=switch", "--set", "instances=1"},
			[]string{"operations ", "throughput operations/s", "duration s"}, nil, "run"},
		"stress-ng by operations": {"stress-ng", []string{"--duration", "1m", "--set", "stressor=fork", "--set", "operations=20"},
			[]string{"operations "}, nil, "run"},
		"fio": {"fio", []string{"--duration", "1s", "--set", "pattern=randrw", "--set", "size=4M"},
			[]string{"read_throughput requests/s", "read_bandwidth bytes/s", "read_latency_p99 ns", "write_throughput requests/s", "write_latency_mean ns"}, nil, "run"},
		"fio only reads": {"fio", []string{"--duration", "1s", "--set", "size=4M", "--set", "jobs=2"},
			[]string{"read_throughput requests/s"}, []string{"write_throughput requests/s"}, "run"},
		"sysbench cpu":     {"sysbench", []string{"--duration", "1s"}, []string{"events ", "throughput events/s", "duration s", "latency_p99 ms"}, nil, "run"},
		"sysbench memory":  {"sysbench", []string{"--duration", "1s", "--set", "test=memory"}, []string{"throughput events/s", "bandwidth MiB/s"}, nil, "run"},
		"sysbench threads": {"sysbench", []string{"--duration", "1s", "--set", "test=threads", "--set", "threads=2"}, []string{"events ", "latency_avg ms"}, nil, "run"},
		"sysbench mutex":   {"sysbench", []string{"--set", "test=mutex"}, []string{"events ", "latency_max ms"}, nil, "run"},
	} {
		t.Run(name, func(t *testing.T) {
			r := performed(t, c.workload, c.args...)
			r.expect(t, 0, "Started benchmark "+c.workload+"\n")
			r.expectWorkload(t, c.markers)
			for _, want := range c.results {
				r.figure(t, want, func(v float64) bool { return v > 0 })
			}
			for _, want := range c.zero {
				r.figure(t, want, func(v float64) bool { return v == 0 })
			}
		})
	}
}

// expectWorkload: the stream is whole, the phases have ended in this order and
// well, and no process that a marker names is left.
func (r *recorded) expectWorkload(t *testing.T, phases string) {
	t.Helper()
	if !r.ended() || len(r.rows["run"]) != 1 || r.rows["run"][0]["exit_code"] != int64(0) || r.rows["run"][0]["command"] == "" {
		t.Errorf("run %v, ended: %v (%v)", r.rows["run"], r.ended(), r.err)
	}
	var ended []string
	for _, m := range r.rows["marker"] {
		if m["name"] != "end" && m["name"] != "ready" {
			continue
		}
		var attrs struct{ PID int }
		check(t, json.Unmarshal([]byte(m["attrs"].(string)), &attrs))
		gone(t, fmt.Sprintf("%v", m["phase"]), strconv.Itoa(attrs.PID))
		if m["name"] == "end" {
			ended = append(ended, m["phase"].(string))
			if m["exit_code"] != int64(0) {
				t.Errorf("marker %v", m)
			}
		}
	}
	if got := strings.Join(ended, " "); got != phases {
		t.Errorf("phases %q, want %q", got, phases)
	}
}

// figure fails unless the phase run has a result "METRIC UNIT", each of them
// good.
func (r *recorded) figure(t *testing.T, want string, good func(float64) bool) {
	t.Helper()
	found := false
	for _, row := range r.rows["result"] {
		if row["phase"] == "run" && fmt.Sprintf("%v %v", row["metric"], row["unit"]) == want {
			if found = true; !good(row["value"].(float64)) {
				t.Errorf("result %v", row)
			}
		}
	}
	if !found {
		t.Errorf("there is no result %q, but %v", want, r.rows["result"])
	}
}

// TestRedisLoadsFurtherRecordsInEachOuterTurn, and the database has what YCSB
// counted.
func TestRedisLoadsFurtherRecordsInEachOuterTurn(t *testing.T) {
	r := performed(t, "redis", small("outer_repeat=3", "repeat=2")...)
	r.expect(t, 0)
	var got []string
	for _, row := range r.rows["result"] {
		if row["metric"] == "records" {
			got = append(got, fmt.Sprintf("%v %v", row["phase"], row["value"]))
		}
	}
	if text := strings.Join(got, ", "); text != "load 500, run 500, run 500, load 1000, run 1000, run 1000, load 1500, run 1500, run 1500" {
		t.Errorf("records: %s", text)
	}
	if config := r.rows["run"][0]["config"].(string); !strings.Contains(config, "outer_repeat: 3") || !strings.Contains(config, "read_proportion: 0.5") {
		t.Errorf("configuration\n%s", config)
	}
	last := r.rows["marker"][len(r.rows["marker"])-2] // before the server's end
	var attrs map[string]int
	check(t, json.Unmarshal([]byte(last["attrs"].(string)), &attrs))
	if attrs["outer"] != 2 || attrs["inner"] != 1 {
		t.Errorf("the last run's marker %v", last)
	}
}

// TestStartedIsSaidAfterTheLoad: KernMLOps' tools wait for it.
func TestStartedIsSaidAfterTheLoad(t *testing.T) {
	r := performed(t, "redis", small()...)
	r.expect(t, 0)
	before, after, _ := strings.Cut(r.log, "Started benchmark redis\n")
	if !strings.Contains(before, "[INSERT], Return=OK, 500\n[DBSIZE]") || strings.Contains(after, "[INSERT]") || !strings.Contains(after, "[READ]") {
		t.Errorf("stderr\n%s", r.log)
	}
}

// TestDumpIsReadOnlyWhenAskedFor, and never written.
func TestDumpIsReadOnlyWhenAskedFor(t *testing.T) {
	dir := t.TempDir()
	cwd := func(c *exec.Cmd) { c.Dir = dir }
	begin := func(args ...string) *recorded {
		return start(t, nil, append([]string{"run", "redis", "--state", t.TempDir()}, args...), withoutTerminal, cwd, aside(t)).wait()
	}
	begin(small("load_from_rdb=true")...).expect(t, 127, "workload redis needs "+dir+"/dump.rdb, which is not there")

	port, server := redis(t, dir)
	load := exec.Command(kbenchPath, append([]string{"ycsb", "load", "--db=redis", "--addr=127.0.0.1:" + port}, "-p", "recordcount=500", "-p", "fieldcount=4")...)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command("redis-cli", "-p", port, "SAVE").CombinedOutput(); err != nil || string(out) != "OK\n" {
		t.Fatalf("%v\n%s", err, out)
	}
	check(t, server.Process.Kill())
	dump := filepath.Join(dir, "dump.rdb")
	before, info := contents(t, dump), stat(t, dump)

	r := begin(small("load_from_rdb=true", "insert_proportion=0.1")...)
	r.expect(t, 0)
	r.expectWorkload(t, "run")
	if !strings.Contains(r.log, "[DBSIZE], Start, 500\n") {
		t.Errorf("stderr\n%s", r.log)
	}
	r = begin(small()...)
	r.expect(t, 0)
	r.expectWorkload(t, "load run")
	if !strings.Contains(r.log, "[DBSIZE], Start, 0\n") {
		t.Errorf("it was read though nobody asked for it:\n%s", r.log)
	}
	if contents(t, dump) != before || !info.ModTime().Equal(stat(t, dump).ModTime()) {
		t.Error("dump.rdb has been written")
	}
}

func stat(t *testing.T, file string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(file)
	check(t, err)
	return info
}

// redis starts a server of somebody else's.
func redis(t *testing.T, dir string) (port string, server *exec.Cmd) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	check(t, err)
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	check(t, l.Close())
	server = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", dir)
	check(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	waitFor(t, func() bool {
		out, _ := exec.Command("redis-cli", "-p", port, "PING").Output() // not yet
		return string(out) == "PONG\n"
	})
	return port, server
}

// TestForeignRedisIsNamedAndLeftAlone: KernMLOps loads whoever answers.
func TestForeignRedisIsNamedAndLeftAlone(t *testing.T) {
	port, server := redis(t, t.TempDir())
	r := performed(t, "redis", small("port="+port)...)
	r.expect(t, 2, fmt.Sprintf("kbench: workload redis: port: port %s is taken: redis-server (pid %d) listens on it\n", port, server.Process.Pid))
	if out, err := exec.Command("redis-cli", "-p", port, "DBSIZE").Output(); err != nil || string(out) != "0\n" {
		t.Errorf("its DBSIZE: %s, %v", out, err)
	}
	if len(r.raw) > 0 {
		t.Error("a stream was begun")
	}
}

// TestRealServersEndWithKbench: interrupted, or killed.
func TestRealServersEndWithKbench(t *testing.T) {
	for name, c := range map[string]struct {
		workload string
		args     []string
	}{
		"redis":     {"redis", small("operation_count=100000000")},
		"memcached": {"memcached", small("operation_count=100000000")},
		"nginx":     {"nginx", []string{"--set", "nginx_port=0", "--set", "wrk_duration=10m", "--set", "wrk_connections=4"}},
		"iperf3":    {"iperf3", []string{"--set", "server_port=0", "--set", "client_duration=600"}},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(name+" "+sig.String(), func(t *testing.T) {
				p := begin(t, c.workload, c.args...)
				p.await("Started benchmark " + c.workload)
				var started []string
				waitFor(t, func() bool {
					started = descendants(t, p.kbench.Process.Pid)
					return len(started) >= 2
				})
				time.Sleep(50 * time.Millisecond) // nginx's workers, ycsb's connections
				started = descendants(t, p.kbench.Process.Pid)
				check(t, p.kbench.Process.Signal(sig))
				r := p.wait()
				if sig != syscall.SIGKILL {
					r.expect(t, 128+int(sig))
					if !r.ended() {
						t.Errorf("the stream was not ended: %v", r.err)
					}
				}
				for _, pid := range started {
					gone(t, "a process of "+name, pid)
				}
			})
		}
	}
}

// descendants are the numbers of the processes that a process has started, and
// theirs.
func descendants(t *testing.T, pid int) []string {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	check(t, err)
	var all []string
	for _, l := range lists {
		for _, child := range strings.Fields(contents(t, l)) {
			n, err := strconv.Atoi(child)
			check(t, err)
			all = append(append(all, child), descendants(t, n)...)
		}
	}
	return all
}
