// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sys/unix"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/stream"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// running is kparquet at work, with a stream of page faults to feed it.
type running struct {
	*exec.Cmd
	t      *testing.T
	in     io.WriteCloser
	stream *stream.Writer
	faults *faultStream
	out    bytes.Buffer
	log    bytes.Buffer
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{Cmd: exec.Command("kparquet", args...), t: t, faults: newFaults()}
	in, err := r.StdinPipe()
	must(t, err)
	r.in, r.stream = in, stream.NewWriter(in)
	r.Stdout, r.Stderr = &r.out, &r.log
	must(t, r.Start())
	t.Cleanup(func() { _ = r.Process.Kill(); _ = r.Wait() })
	must(t, r.stream.Header(&stream.Header{Hooks: []string{"page_fault"}, Tables: []string{"page_fault"}}))
	must(t, r.stream.Table(r.faults.Table))
	return r
}

// feed writes n batches. It returns false when kparquet is gone.
func (r *running) feed(n int) bool {
	for range n {
		if r.stream.Batch(r.faults.next()) != nil {
			return false
		}
	}
	return true
}

// end ends the stream and waits for kparquet to succeed.
func (r *running) end() {
	r.t.Helper()
	must(r.t, r.stream.End())
	must(r.t, r.in.Close())
	if err := r.Wait(); err != nil {
		r.t.Fatalf("kparquet: %v\n%s", err, &r.log)
	}
}

// rows counts with DuckDB what is in all Parquet files of the dataset.
func rows(t *testing.T, dir string) (n int) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	must(t, err)
	defer func() { _ = db.Close() }()
	const query = "SELECT count(DISTINCT (cpu, ts_ns)), count(*) FROM read_parquet('%s/*/*/*/page_fault.*.parquet')"
	var distinct int
	must(t, db.QueryRow(fmt.Sprintf(query, dir)).Scan(&distinct, &n))
	if distinct != n {
		t.Errorf("%d rows, %d of them distinct", n, distinct)
	}
	return n
}

// published waits until the dataset holds at least n files.
func published(t *testing.T, dir string, n int) {
	t.Helper()
	for range 1000 {
		if found, err := filepath.Glob(dir + "/*/*/*/*.parquet"); err == nil && len(found) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %d parts after ten seconds", n)
}

func TestKillLeavesReadableParts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	r := start(t, "-o", dir, "--rotate", "1s")
	const before = 20
	r.feed(before)
	published(t, dir, 1)
	r.feed(300) // of the rotation that may be lost
	must(t, r.Process.Kill())
	_ = r.Wait()
	if n := rows(t, dir); n < before*batchRows || n%batchRows != 0 {
		t.Errorf("%d rows after the kill, want at least %d", n, before*batchRows)
	}
	left := rows(t, dir)
	out, err := exec.Command("kparquet", "recover", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("recover: %v\n%s", err, out)
	}
	if n := rows(t, dir); n != left {
		t.Errorf("%d rows after recover, %d before", n, left)
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	files, err := filepath.Glob(dir + "/curated/faux/*/*")
	must(t, err)
	if len(entries) != 1 || len(files) != 1 || filepath.Base(files[0]) != "page_fault.end.parquet" {
		t.Errorf("the dataset has %v, the collection %v", entries, files)
	}
}

// The end of a rotated recording merges and swaps. Whenever it dies in there,
// every row that was published is there once.
func TestKillWhileMergingLosesNothing(t *testing.T) {
	const batches = 60
	for delay := time.Duration(0); delay < 60*time.Millisecond; delay += 5 * time.Millisecond {
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			r := start(t, "-o", dir, "--rotate", "1s")
			r.feed(batches)
			published(t, dir, 1)
			r.feed(batches)
			must(t, r.stream.End())
			time.Sleep(delay)
			_ = r.Process.Kill()
			_ = r.Wait()
			left := rows(t, dir)
			if left < batches*batchRows || left%batchRows != 0 {
				t.Errorf("%d rows, want at least %d", left, batches*batchRows)
			}
			if out, err := exec.Command("kparquet", "recover", dir).CombinedOutput(); err != nil {
				t.Errorf("recover: %v\n%s", err, out)
			}
			if n := rows(t, dir); n != left {
				t.Errorf("%d rows after recover, %d before", n, left)
			}
		})
	}
}

func TestReadersNeverSeeARowTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	r := start(t, "-o", dir, "--rotate", "1s")
	r.feed(50)
	published(t, dir, 1)
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			found, _ := filepath.Glob(dir + "/curated/faux/*/*.parquet")
			all := strings.Join(found, " ")
			if strings.Contains(all, ".end.") && strings.Contains(all, ".0.") || all == "" {
				t.Errorf("a reader sees %q", all)
				return
			}
		}
	})
	r.feed(50)
	r.end()
	close(done)
	watch.Wait()
	if n := rows(t, dir); n != 100*batchRows {
		t.Errorf("%d rows, want %d", n, 100*batchRows)
	}
}

func TestInterruptWaitsForTheEndOfTheStream(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	r := start(t, "-o", dir)
	r.feed(1)
	time.Sleep(200 * time.Millisecond)
	must(t, r.Process.Signal(os.Interrupt))
	time.Sleep(200 * time.Millisecond)
	if !r.feed(1) {
		t.Fatal("kparquet is gone after one SIGINT")
	}
	r.end()
	if n := rows(t, dir); n != 2*batchRows {
		t.Errorf("%d rows, want %d", n, 2*batchRows)
	}
}

func TestSecondInterruptPublishesWhatCame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	r := start(t, "-o", dir)
	r.feed(2)
	for range 2 {
		time.Sleep(200 * time.Millisecond)
		must(t, r.Process.Signal(os.Interrupt))
	}
	var exit *exec.ExitError
	if err := r.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("exit is %v, want 1\n%s", err, &r.log)
	}
	if n := rows(t, dir); n != 2*batchRows {
		t.Errorf("%d rows, want %d", n, 2*batchRows)
	}
	if !strings.Contains(r.log.String(), "second signal") {
		t.Errorf("stderr is %q", &r.log)
	}
}

func TestTwoOnOneDirectoryMakeTwoCollections(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	a, b := start(t, "-o", dir), start(t, "-o", dir)
	a.feed(2)
	b.feed(3)
	a.end()
	b.end()
	found, err := dataset.List(dir)
	must(t, err)
	if len(found) != 2 || a.out.String() == b.out.String() {
		t.Errorf("%d collections, ids %q and %q", len(found), &a.out, &b.out)
	}
	for _, c := range found {
		for _, k := range c.Verify() {
			if len(k.Wrong) > 0 {
				t.Errorf("%s: %v", k.Table, k.Wrong)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("the dataset has %v", entries)
	}
}

// A long recording with many tables takes no more memory than it may.
func TestMemoryStaysBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	r := start(t, "-o", dir, "--rotate", "1s")
	const many = 60
	tables := make([]*stream.Batch, many)
	for i := range tables {
		copied := *r.faults.Table
		copied.Name = fmt.Sprint("table", i)
		b := *r.faults.Batch
		b.Table = &copied
		tables[i] = &b
		must(t, r.stream.Table(&copied))
	}
	for range 20 {
		r.feed(150)
		for _, b := range tables {
			must(t, r.stream.Batch(b))
		}
	}
	r.end()
	usage := r.ProcessState.SysUsage().(*syscall.Rusage)
	if peak := usage.Maxrss / 1024; peak > 128 {
		t.Errorf("peak memory is %d MiB, allowed are 128", peak)
	}
	t.Logf("peak %d MiB, %s CPU", usage.Maxrss/1024, time.Duration(usage.Utime.Nano()+usage.Stime.Nano()))
}

// openTerminal returns both ends of a pseudo terminal.
func openTerminal(t *testing.T) (user, tty *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	must(t, err)
	tty, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { _ = user.Close(); _ = tty.Close() })
	return user, tty
}

func TestTerminalOnStdinIsRefused(t *testing.T) {
	_, tty := openTerminal(t)
	c := exec.Command("kparquet", "-o", filepath.Join(t.TempDir(), "d"))
	c.Stdin = tty
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "stdin is a terminal") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestProgressIsShownOnATerminal(t *testing.T) {
	user, tty := openTerminal(t)
	c := exec.Command("kparquet", "-o", filepath.Join(t.TempDir(), "d"))
	in, err := c.StdinPipe()
	must(t, err)
	c.Stderr = tty
	must(t, c.Start())
	w, f := stream.NewWriter(in), newFaults()
	must(t, w.Header(&stream.Header{}))
	must(t, w.Table(f.Table))
	must(t, w.Batch(f.next()))
	var shown strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(shown.String(), "page_fault") {
		must(t, user.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, err := user.Read(buf)
		must(t, err)
		shown.Write(buf[:n])
	}
	must(t, w.End())
	must(t, in.Close())
	must(t, c.Wait())
	if !strings.Contains(shown.String(), "4096 rows") || !strings.Contains(shown.String(), "lost 0") {
		t.Errorf("progress is %q", &shown)
	}
}
