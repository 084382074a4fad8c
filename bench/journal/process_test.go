// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The number of a recorded process is another's by now: neither it, nor its
// group, nor its children are the run's.
func TestANumberThatIsAnothersByNowIsNotKilled(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=sleep 1000 & wait"))
	m.edit(`"mark":"`, `"mark":"x`)
	m.edit(`("service":\{[^}]*"start":)\d+`, `${1}1`)
	before := m.tagged()
	if report := m.restore(); report.Err() != nil || strings.Contains(report.String(), "process") {
		t.Errorf("%v", report)
	}
	if now := m.tagged(); len(before) != 2 || !slices.Equal(now, before) {
		t.Errorf("processes: %v, now %v", before, now)
	}
}

// What overwrites its environment, as servers do that set their title, is known
// by its group; what leaves its group by its environment.
func TestOrphansAreFoundByGroupOrMark(t *testing.T) {
	for name, c := range map[string]struct{ script, pattern, with string }{
		"group of a leader that has gone": {"sleep 1000 & exit", `"mark":"`, `"mark":"x`},
		"mark, in a session of its own":   {"setsid sleep 1000 & exit", `$^`, ""},
		"mark, never recorded":            {"exec sleep 1000", `\{"service".*\n`, ""},
		"child of a known one":            {"setsid sleep 1000 & wait", `"mark":"`, `"mark":"x`},
	} {
		t.Run(name, func(t *testing.T) {
			m := theMachine(t)
			run := m.stay("SERVICES=" + c.script)
			m.until("the child runs alone", func() bool {
				for _, pid := range m.tagged() {
					if p, err := look(pid); err == nil && p.name == "sleep" {
						return true
					}
				}
				return false
			})
			m.kill(run)
			if c.with != "" || strings.HasPrefix(c.pattern, `\{`) {
				m.edit(c.pattern, c.with)
			}
			if report := m.restore(); report.Err() != nil || !strings.Contains(report.String(), "ended") {
				t.Errorf("%v", report)
			}
			m.asBefore(name)
		})
	}
}

func TestWhatIgnoresSIGTERMIsKilledAfterGrace(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay(`SERVICES=trap "" TERM; while :; do sleep 1; done;;exec sleep 1000`))
	for _, pid := range m.tagged() {
		if p, err := look(pid); err == nil && p.name == "sleep" {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // one that is stopped must see SIGTERM, too
		}
	}
	begin := time.Now()
	report := m.restore()
	if took := time.Since(begin); took < Grace {
		t.Errorf("killed after %s", took)
	}
	if err := report.Err(); err != nil || !strings.Contains(report.String(), ": killed") || !regexp.MustCompile(`exec sleep 1000 \(pid \d+\): ended`).MatchString(report.String()) {
		t.Errorf("%v", report)
	}
	m.asBefore("SIGKILL")
}

// Process numbers of another pid namespace mean others here.
func TestAnotherPidNamespacesNumbersAreNotKilled(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=exec sleep 1000"))
	m.edit(`"mark":"`, `"mark":"x`)
	m.edit(`"pid_ns":"[^"]*"`, `"pid_ns":"pid:[1]"`)
	if report := m.restore(); report.Err() != nil || len(report) != len(files) {
		t.Errorf("%v", report)
	}
	if len(m.tagged()) != 1 {
		t.Error("it was ended")
	}
}

func TestNobodyRestoresTheRunThatItBelongsTo(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=exec sleep 1000"))
	mark := regexp.MustCompile(`"mark":"([^"]*)"`).FindStringSubmatch(raw(t, m.journals()[0]))[1]
	cmd := m.helper("restore", markName+mark)
	out, err := cmd.CombinedOutput()
	if err != nil || len(m.tagged()) == 0 {
		t.Errorf("%v, %d processes are left\n%s", err, len(m.tagged()), out)
	}
	m.restore()
	m.asBefore("restored from outside")
}
