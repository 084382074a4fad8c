// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/dataset"
)

// statInterval is a setting that no other test touches.
const statInterval = "/proc/sys/vm/stat_interval"

// cronned is a sweep of six cells, of which the third waits.
const cronned = `
workload: ./cell.yaml
set: {n: [1, 2, 3], wait: AT/go}
knobs: {vm.stat_interval: 3}
hooks: [[process_trace], []]
order: given
`

// crontab is the line in the README, for this sweep. Its folder of journals is
// the test's own, and what it would mail goes to a file.
func (s *sweeping) crontab() string {
	s.t.Helper()
	line := regexp.MustCompile(`(?m)^    (\* \* \* \* \* .*kbench sweep .*)$`).FindStringSubmatch(contents(s.t, "../../README.md"))
	if line == nil {
		s.t.Fatal("the README has no line for cron")
	}
	words := strings.Fields(line[1])
	words[5] = filepath.Join(s.bin, "kbench")
	for flag, path := range map[string]string{"-f": "mine.yaml", "-o": "data"} {
		i := slices.Index(words, flag)
		if i < 0 {
			s.t.Fatalf("%s: no %s", line[1], flag)
		}
		words[i+1] = filepath.Join(s.dir, path)
	}
	return strings.Join(words, " ") + " --state " + filepath.Join(s.dir, "state") + " >> " + filepath.Join(s.dir, "mail") + " 2>&1\n"
}

// startCron starts a cron daemon in a world as cron's: no terminal, little of an
// environment.
func (s *sweeping) startCron() {
	s.t.Helper()
	tabs := filepath.Join(s.dir, "crontabs")
	check(s.t, os.Mkdir(tabs, 0o700))
	check(s.t, os.WriteFile(filepath.Join(tabs, "root"), []byte(s.crontab()), 0o600))
	s.write("mail", "")
	cron := exec.Command("busybox", "crond", "-f", "-l", "0", "-c", tabs, "-L", filepath.Join(s.dir, "cron.log"))
	cron.Env, cron.Dir = []string{"PATH=/usr/bin:/bin"}, "/"
	cron.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	mask := syscall.Umask(0o077)
	err := cron.Start()
	syscall.Umask(mask)
	check(s.t, err)
	s.t.Cleanup(func() { _ = cron.Process.Kill(); _ = cron.Wait() })
}

// ticks is how often cron has started the sweep.
func (s *sweeping) ticks() int {
	log, _ := os.ReadFile(filepath.Join(s.dir, "cron.log")) // made at the first
	return strings.Count(string(log), "sweep --quiet")
}

// await waits for cron, which does things once a minute.
func (s *sweeping) await(what string, met func() bool) {
	s.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !met(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "cron.log"))
			s.t.Fatalf("three minutes have passed before %s; ran %s, mail %q, cron's log:\n%s",
				what, s.ran(), contents(s.t, filepath.Join(s.dir, "mail")), log)
		}
	}
}

// running is the kbench that cron has started.
func (s *sweeping) running() int {
	s.t.Helper()
	var holder struct {
		PID int `json:"pid"`
	}
	check(s.t, json.Unmarshal([]byte(contents(s.t, filepath.Join(s.dir, "state", "sweep.lock"))), &holder))
	if line := contents(s.t, fmt.Sprintf("/proc/%d/cmdline", holder.PID)); !strings.Contains(line, s.dir) {
		s.t.Fatalf("process %d is %q", holder.PID, line)
	}
	return holder.PID
}

// TestCronRunsASweep: from the line in the README, each minute, with one start
// killed in a cell, and one while another runs.
func TestCronRunsASweep(t *testing.T) {
	if !asRoot(t) {
		return
	}
	before := contents(t, statInterval)
	s := newSweep(t, cronned)
	s.startCron()

	s.await("the third cell runs", func() bool { return s.ran() == "112" })
	if now := contents(t, statInterval); now != "3\n" {
		t.Errorf("in a cell vm.stat_interval is %q", now)
	}
	check(t, syscall.Kill(s.running(), syscall.SIGKILL))

	s.await("the third cell runs again", func() bool { return s.ran() == "1122" })
	resumed := s.ticks()
	s.await("cron's next start, while that one runs", func() bool { return s.ticks() > resumed })
	time.Sleep(2 * time.Second) // it ends at once
	s.expect(0, "cell 3 has been running for ", "", "--status")
	s.write("go", "")
	s.await("all cells are done", func() bool {
		out, err := s.command("--status").CombinedOutput()
		return err == nil && strings.HasPrefix(string(out), "sweep mine: 6 of 6 cells done\n")
	})
	finished := s.ticks()
	s.await("a start with nothing to do", func() bool { return s.ticks() > finished })
	time.Sleep(2 * time.Second)

	if mail := contents(t, filepath.Join(s.dir, "mail")); mail != "" {
		t.Errorf("cron would have mailed\n%s", mail)
	}
	if now := contents(t, statInterval); now != before {
		t.Errorf("vm.stat_interval is %q, was %q", now, before)
	}
	if ran := s.ran(); ran != "1122233" {
		t.Errorf("cells ran as %s, want 1122233: the third twice, all others once", ran)
	}
	s.wholeOnce(6)
	s.nothingLeft()
}

// wholeOnce tells whether the dataset has so many collections, each whole and
// of another cell.
func (s *sweeping) wholeOnce(cells int) {
	s.t.Helper()
	out, err := exec.Command(filepath.Join(s.bin, "kparquet"), "verify", filepath.Join(s.dir, "data")).CombinedOutput()
	if err != nil {
		s.t.Errorf("kparquet verify: %v\n%s", err, out)
	}
	found, err := dataset.List(filepath.Join(s.dir, "data"))
	check(s.t, err)
	seen := map[string]bool{}
	where := regexp.MustCompile(`(?m)^\s*coordinates: (.*)$`)
	for _, c := range found {
		meta, err := c.Meta("run")
		check(s.t, err)
		seen[where.FindString(meta.Config)] = true
	}
	if len(found) != cells || len(seen) != cells {
		s.t.Errorf("%d collections of %d cells, want %d", len(found), len(seen), cells)
	}
}

// nothingLeft tells whether nothing runs any more that was started in the
// folder, and nothing temporary lies there.
func (s *sweeping) nothingLeft() {
	s.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(s.t, err)
	for _, path := range all {
		line, _ := os.ReadFile(path) // it may have gone
		if strings.Contains(string(line), s.dir) && !strings.Contains(string(line), "crond") {
			s.t.Errorf("%s is still there: %q", path, line)
		}
	}
	for _, pattern := range []string{"state/*.journal", "data/.*.tmp", "data/.sweep-mine/cell-*"} {
		if left, _ := filepath.Glob(filepath.Join(s.dir, pattern)); len(left) > 0 {
			s.t.Errorf("left: %q", left)
		}
	}
}
