// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/bench/ycsb/servertest"
	goredis "github.com/redis/go-redis/v9"
)

// loaded starts a redis-server with 1000 records.
func loaded(t *testing.T) *servertest.Server {
	t.Helper()
	s, err := servertest.Redis()
	check(t, err)
	t.Cleanup(s.Stop)
	code, out, log := driveYCSB(t, "load", "--db", "redis", "--addr", s.Addr, "--set", "recordcount=1", "-p", "recordcount=1000", "--set", "threadcount=3")
	if code != 0 || log != "" || !strings.Contains(out, "\n[DBSIZE], Actual, 1000\n") || !strings.Contains(out, "\n[INSERT], Return=OK, 1000\n") {
		t.Fatalf("load: exit code %d, stderr %q, stdout\n%s", code, log, out)
	}
	return s
}

func driveYCSB(t *testing.T, args ...string) (code int, out, log string) {
	t.Helper()
	c := exec.Command(kbenchPath, append([]string{"ycsb"}, args...)...)
	var o, l bytes.Buffer
	c.Stdout, c.Stderr = &o, &l
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), o.String(), l.String()
}

// whileItRuns does something to the server as soon as that has served a read.
func whileItRuns(s *servertest.Server, do func(*goredis.Client)) {
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	go func() {
		defer func() { _ = c.Close() }()
		for !strings.Contains(c.Info(context.Background(), "commandstats").Val(), "cmdstat_hgetall:") {
			time.Sleep(20 * time.Millisecond)
		}
		do(c)
	}()
}

func TestYCSBRunPrintsWhatYCSBDoes(t *testing.T) {
	s := loaded(t)
	code, out, log := driveYCSB(t, "run", "-p", "recordcount=1000", "-p", "operationcount=2000", "-p", "target=20000",
		"--seed", "12", "--addr", s.Addr, "--db", "redis", "-p", "readproportion=0.5", "-p", "updateproportion=0.5")
	if code != 0 || log != "" {
		t.Errorf("exit code %d, stderr %q", code, log)
	}
	for _, want := range []string{
		"[OVERALL], RunTime(ms), ", "[OVERALL], Throughput(ops/sec), ", "[OVERALL], Operations, 2000\n", "[OVERALL], Seed, 12\n",
		"[READ], AverageLatency(us), ", "[READ], MinLatency(us), ", "[READ], MaxLatency(us), ", "[READ], 95thPercentileLatency(us), ",
		"[UPDATE], 99thPercentileLatency(us), ", "[UPDATE], 99.9PercentileLatency(us), ", "[Intended-UPDATE], Operations, ", "[READ], Return=OK, ",
		"[DBSIZE], Expected, 1000\n[DBSIZE], Actual, 1000\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestYCSBUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		text string
	}{
		{"", "kbench: say load or run\n"},
		{"walk --db redis --addr x", "say load or run"},
		{"run --addr x", `--db "": want one of redis, memcached`},
		{"run --db mongodb --addr x", `--db "mongodb"`},
		{"run --db redis", "no --addr"},
		{"run --db redis --addr 127.0.0.1:1 -p readproportoin=1", "unknown property \"readproportoin\"\nkbench: hint: did you mean readproportion?\n"},
		{"run --db redis --addr 127.0.0.1:1 -p record_count=1", "did you mean recordcount?"},
		{"run --db redis --addr 127.0.0.1:1 -p recordcount=many", "property recordcount=many: want a whole number from 1"},
		{"run --db redis --addr 127.0.0.1:1 -p recordcount=1", "neither operationcount nor maxexecutiontime"},
		{"load --db redis --addr 127.0.0.1:1 --seed x -p recordcount=1", "--seed"},
	} {
		code, out, log := driveYCSB(t, strings.Fields(c.args)...)
		if code != 2 || out != "" || !strings.Contains(log, c.text) {
			t.Errorf("kbench ycsb %s: exit code %d, stdout %q, stderr\n%s\nwant 2 and %q", c.args, code, out, log, c.text)
		}
	}
}

func TestYCSBSaysWhenTheCountIsWrong(t *testing.T) {
	s := loaded(t)
	whileItRuns(s, func(c *goredis.Client) { c.Set(context.Background(), "stranger", "x", 0) })
	code, out, log := driveYCSB(t, "run", "--db", "redis", "--addr", s.Addr, "-p", "recordcount=1000", "-p", "maxexecutiontime=2")
	want := "kbench: the server has 1001 records, not 1000 (1000 at the start, 0 created, 0 deleted, 0 evicted)\n"
	if code != 1 || log != want || !strings.Contains(out, "[DBSIZE], Expected, 1000\n[DBSIZE], Actual, 1001\n") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, log, out)
	}
}

func TestYCSBErrorsOfTheServer(t *testing.T) {
	s := loaded(t)
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
	defer func() { _ = client.Close() }()
	check(t, client.ConfigSet(context.Background(), "maxmemory", "1").Err())
	args := []string{"run", "--db", "redis", "--addr", s.Addr, "-p", "recordcount=1000", "-p", "operationcount=500", "-p", "updateproportion=1"}
	if code, out, log := driveYCSB(t, args...); code != 1 || !strings.Contains(log, "operations failed; the first: the server answers: OOM") ||
		!strings.Contains(out, "[UPDATE], Return=ERROR, ") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, log, out)
	}
	if code, _, log := driveYCSB(t, append(args, "--allow-errors")...); code != 0 || log != "" {
		t.Errorf("allowed errors: exit code %d, stderr %q", code, log)
	}
}

func TestYCSBSignalsEndItInOrder(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		s := loaded(t)
		c := exec.Command(kbenchPath, "ycsb", "run", "--db", "redis", "--addr", s.Addr, "-p", "recordcount=1000",
			"-p", "operationcount=100000000", "-p", "insertproportion=0.1", "-p", "threadcount=3")
		var out, log bytes.Buffer
		c.Stdout, c.Stderr = &out, &log
		check(t, c.Start())
		whileItRuns(s, func(*goredis.Client) { _ = c.Process.Signal(sig) })
		_ = c.Wait()
		if code := c.ProcessState.ExitCode(); code != want || log.Len() > 0 ||
			!strings.Contains(out.String(), "[READ], Return=OK, ") || !strings.Contains(out.String(), "[DBSIZE], Actual, ") {
			t.Errorf("%v: exit code %d, stderr %q, stdout\n%s", sig, code, &log, &out)
		}
	}
}

func TestYCSBServerIsKilled(t *testing.T) {
	s := loaded(t)
	whileItRuns(s, func(*goredis.Client) { s.Stop() })
	code, out, log := driveYCSB(t, "run", "--db", "redis", "--addr", s.Addr, "-p", "recordcount=1000", "-p", "operationcount=100000000")
	if code != 1 || !strings.HasPrefix(log, "kbench: redis at "+s.Addr+": ") || strings.Count(log, "\n") != 1 || !strings.Contains(out, "[OVERALL], ") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, log, out)
	}
}

func TestYCSBShowsProgressOnATerminalOnly(t *testing.T) {
	s := loaded(t)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	check(t, err)
	defer func() { _ = out.Close() }()
	tty := openTerminal(t)
	c := exec.Command(kbenchPath, "ycsb", "run", "--db", "redis", "--addr", s.Addr, "-p", "recordcount=1000", "-p", "operationcount=2000", "-p", "target=1000")
	c.Stdout = out
	tty.start(c)
	tty.await(" operations of 2000, ")
	tty.finish(c, 0)
}
