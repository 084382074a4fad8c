// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/bench/knob"
)

func TestTheSecondRunFailsAtOnceAndNamesTheFirst(t *testing.T) {
	m := theMachine(t)
	first := m.stay("SERVICES=:")
	j, err := Open(m.dir, "the second", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	// The same value by another name, and a file that nobody has.
	set := knob.Set{{Name: "vm.dirty_expire_centisecs", Value: "3001"}, {Name: "/proc/sys/vm/extfrag_threshold", Value: strings.TrimSpace(raw(t, files["vm.extfrag_threshold"]))}}
	values, err := set.Apply(context.Background(), j, 0)
	var busy *BusyError
	if !errors.As(err, &busy) || busy.Error() != "/proc/sys/vm/extfrag_threshold is in use by a run (pid "+strconv.Itoa(first.Process.Pid)+")" || values != nil {
		t.Fatalf("%v, the error is %v", values, err)
	}
	// Nothing was taken: a third run may have what the second wanted beside it.
	third, err := Open(m.dir, "the third", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Claim(context.Background(), 0, "/proc/sys/vm/dirty_expire_centisecs"); err != nil {
		t.Error(err)
	}
	if report := third.Close(); report != nil {
		t.Errorf("%v", report)
	}
	m.kill(first)
}

// The first run ends while the second waits: the second sees the machine's own
// value, whether the first put it back or was killed.
func TestTheSecondRunWaitsAndSeesTheMachinesOwnValue(t *testing.T) {
	m := theMachine(t)
	first := m.stay("SERVICES=:")
	var log strings.Builder
	j, err := Open(m.dir, "the second", &log)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { m.kill(first) })
	set := knob.Set{{Name: "vm.extfrag_threshold", Value: strings.TrimSpace(raw(t, files["vm.extfrag_threshold"]))}} // the first one's
	values, err := set.Apply(context.Background(), j, 20*time.Second)
	before := strings.TrimSpace(m.before[files["vm.extfrag_threshold"]])
	if err != nil || values[0].Before != before || values[0].During != set[0].Value {
		t.Fatalf("%v, the error is %v", values, err)
	}
	if !strings.Contains(log.String(), "waiting: /proc/sys/vm/extfrag_threshold is in use by a run") {
		t.Errorf("the log says %s", &log)
	}
	if now := strings.TrimSpace(raw(t, files["vm.extfrag_threshold"])); now != set[0].Value {
		t.Errorf("during the second it is %s", now)
	}
	if err := j.Close().Err(); err != nil {
		t.Error(err)
	}
	m.asBefore("both")
}

func TestWaitingEndsInTimeOrWhenTold(t *testing.T) {
	m := theMachine(t)
	m.stay("SERVICES=:")
	j, err := Open(m.dir, "the second", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = j.Claim(ctx, 300*time.Millisecond, files["vm.extfrag_threshold"])
	if took := time.Since(begin); !errors.As(err, new(*BusyError)) || ctx.Err() != nil || took < 300*time.Millisecond {
		t.Errorf("after %s: %v", took, err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	if err := j.Claim(ctx, time.Hour, files["vm.extfrag_threshold"]); !errors.Is(err, context.Canceled) {
		t.Errorf("told to end: %v", err)
	}
}

// While a run opens its journal, claims, or restores, no other does: it waits.
func TestOneAtATimeLooksAtTheJournals(t *testing.T) {
	m := theMachine(t)
	m.kill(m.stay("SERVICES=:"))
	var free, busy []string
	step = func(name string) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		f, err := enter(ctx, m.dir)
		if err == nil {
			f.leave()
			free = append(free, name)
		} else if errors.Is(err, context.DeadlineExceeded) {
			busy = append(busy, name)
		}
	}
	defer func() { step = func(string) {} }()
	j, err := Open(m.dir, "the next", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Claim(context.Background(), 0, files["vm.extfrag_threshold"]); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"stopped", "put back vm.extfrag_threshold", "removed", "created", "begun", "claimed"} {
		if !slices.Contains(busy, name) {
			t.Errorf("no other waits at %q; free: %q", name, free)
		}
	}
	if len(free) != 0 {
		t.Errorf("not alone at %q", free)
	}
	busy = nil
	if err := j.Close().Err(); err != nil {
		t.Error(err)
	}
	if len(busy) != 0 {
		t.Errorf("a run that ends keeps others waiting at %q", busy)
	}
	m.asBefore("all")
}

// Runs that want one knob at the same time take turns, and none takes another's
// value for the machine's.
func TestManyRunsTakeTurns(t *testing.T) {
	m := theMachine(t)
	before := strings.TrimSpace(m.before[files["vm.extfrag_threshold"]])
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			j, err := Open(m.dir, "run "+strconv.Itoa(i), os.Stderr)
			if err != nil {
				t.Error(err)
				return
			}
			value := strconv.Itoa(80 + i/2)
			values, err := knob.Set{{Name: "vm.extfrag_threshold", Value: value}}.Apply(context.Background(), j, time.Minute)
			if err != nil || values[0].Before != before || values[0].During != value {
				t.Errorf("%v %v", values, err)
			}
			if err := j.Close().Err(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m.asBefore("all")
}

// Where the kernel keeps one of two settings and clears the other, both come
// back, whichever is in force and whichever was set.
func TestSettingsThatExcludeEachOtherComeBack(t *testing.T) {
	m := theMachine(t)
	const ratio, bytes = "/proc/sys/vm/dirty_ratio", "/proc/sys/vm/dirty_bytes"
	m.before[ratio], m.before[bytes] = raw(t, ratio), raw(t, bytes)
	mine := map[string]string{ratio: m.before[ratio], bytes: m.before[bytes]}
	t.Cleanup(func() { // the one in force, which clears the other
		for file, text := range mine {
			if text != "0\n" {
				_ = os.WriteFile(file, []byte(text), 0)
			}
			delete(m.before, file)
		}
	})
	for _, now := range []struct{ file, value string }{{ratio, "20"}, {bytes, "400000000"}} {
		if err := os.WriteFile(now.file, []byte(now.value), 0); err != nil {
			t.Fatal(err)
		}
		m.before[ratio], m.before[bytes] = raw(t, ratio), raw(t, bytes)
		for _, set := range []string{"vm.dirty_ratio=30", "vm.dirty_bytes=300000000"} {
			m.knobs = set
			for i, name := range m.steps("run", "SERVICES=:") {
				m.asBefore(set + " over " + now.file)
				m.die(i+1, "run", "SERVICES=:")
				if err := m.restore().Err(); err != nil {
					t.Error(err)
				}
				m.asBefore(set + " over " + now.file + " killed at " + name)
			}
		}
	}
}
