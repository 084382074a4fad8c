// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEveryCellOnceWhereverASweepIsKilled(t *testing.T) {
	first := newLab(t, pairText)
	out := first.expect("result 2 done 0 failed 0 left 2 ran")
	first.clean("not killed", "1", "2")
	for _, cut := range []string{"", "CUT=1"} {
		for i, name := range steps(out) {
			l := newLab(t, pairText)
			what := fmt.Sprintf("killed at step %d (%s) %s", i+1, name, cut)
			l.die(strconv.Itoa(i+1), cut)
			l.expect("result 2 done 0 failed 0 left")
			l.clean(what, "1", "2")
			runs := map[string]int{"worked": 3}[name] // all else is before a cell's workload, or after its collection is there
			if got := l.ran(); got != max(runs, 2) {
				t.Errorf("%s: workloads ran %d times, want %d", what, got, max(runs, 2))
			}
			l.expect("result 2 done 0 failed 0 left 0 ran")
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

func TestEveryCellOnceWhereverTheNextStartIsKilledToo(t *testing.T) {
	for _, at := range []string{"worked", "collected"} {
		l := newLab(t, pairText)
		l.die(at)
		out := l.expect("result 2 done")
		for i, name := range steps(out) {
			l := newLab(t, pairText)
			l.die(at)
			l.die(strconv.Itoa(i + 1))
			l.expect("result 2 done 0 failed 0 left")
			l.clean(fmt.Sprintf("killed at %s, then at step %d (%s)", at, i+1, name), "1", "2")
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestOnlyWhatIsWholeAndWellIsAdopted: a collection that was published, but
// not noted.
func TestOnlyWhatIsWholeAndWellIsAdopted(t *testing.T) {
	l := newLab(t, pairText)
	l.die("collected")
	files, err := filepath.Glob(filepath.Join(l.data(), "baseline/tiny/*/system_info.end.parquet"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	text := []byte(raw(t, files[0]))
	text[len(text)/4] ^= 1
	must(t, os.WriteFile(files[0], text, 0o644))
	l.expect("result 2 done 0 failed 0 left 2 ran")
	l.clean("damaged", "1", "2")

	l = newLab(t, pairText)
	l.write("broken", "1\n")
	l.die("collected")
	l.write("broken", "")
	l.expect("result 2 done 0 failed 0 left 2 ran")
	l.clean("its workload had failed", "1", "2")
}

func TestFailedCellRunsAgainOnlyWhenAsked(t *testing.T) {
	l := newLab(t, pairText)
	l.write("broken", "1\n")
	l.expect("result 0 done 1 failed 1 left 1 ran\nerror sweep mine: cell 1 of 2 failed")
	l.expect("result 0 done 1 failed 1 left 0 ran\nerror sweep mine: cell 1 of 2 failed")
	l.expect("result 1 done 1 failed 0 left 1 ran", "FLAGS=keep-going")
	l.clean("a cell failed", "1", "2") // what it collected stays
	l.expect("result 1 done 1 failed 0 left 1 ran\nerror sweep mine: cell 1 of 2 failed", "FLAGS=retry-failed")
	l.clean("it failed again", "1", "2")
	l.write("broken", "")
	out := l.expect("result 2 done 0 failed 0 left 1 ran", "FLAGS=retry-failed")
	l.clean("it was done at last", "1", "2")
	l.expect("result 2 done 0 failed 0 left 0 ran")
	if n := l.ran(); n != 4 {
		t.Errorf("workloads ran %d times, want 4", n)
	}
	// Whatever kills the start that tries it again.
	for i, name := range steps(out) {
		l := newLab(t, pairText)
		l.write("broken", "1\n")
		l.expect("result 1 done 1 failed 0 left 2 ran", "FLAGS=keep-going")
		l.write("broken", "")
		l.die(strconv.Itoa(i+1), "FLAGS=retry-failed")
		l.expect("result 2 done 0 failed 0 left", "FLAGS=retry-failed")
		l.clean("killed at step "+name+" of a retry", "1", "2")
	}
}

func TestCellThatKillsTheMachineIsGivenUp(t *testing.T) {
	l := newLab(t, pairText)
	for range mostKills {
		l.die("worked")
	}
	l.expect("error sweep mine: cell 1 of 2 failed: workload=tiny set.n=1: kbench or the machine died 3 times while it ran")
	l.clean("given up")
	l.expect("result 1 done 1 failed 0 left 1 ran", "FLAGS=keep-going")
	l.clean("the others ran", "2")
}

func TestNoCellStartsAfterTheTime(t *testing.T) {
	l := newLab(t, pairText)
	l.expect("result 1 done 0 failed 1 left 1 ran", "MAXTIME=1ms") // each start makes one: it always comes to an end
	l.expect("result 2 done 0 failed 0 left 1 ran", "MAXTIME=1ms")
	l.clean("in two starts", "1", "2")
}

func TestFileThatMakesOtherCellsIsRefused(t *testing.T) {
	l := newLab(t, pairText)
	l.expect("result 1 done 0 failed 1 left 1 ran", "MAXTIME=1ms")
	l.write("mine.yaml", "# a remark\n"+pairText)
	l.expect("result 2 done 0 failed 0 left 1 ran")
	for name, change := range map[string]func(){
		"a value":      func() { l.write("mine.yaml", strings.Replace(pairText, "[1, 2]", "[1, 3]", 1)) },
		"an option":    func() { l.write("mine.yaml", pairText+"warmup: 1\n") },
		"the workload": func() { l.write("tiny.yaml", strings.ReplaceAll(tiny, "AT", l.dir)+"# other\n") },
	} {
		l.write("mine.yaml", pairText)
		l.write("tiny.yaml", strings.ReplaceAll(tiny, "AT", l.dir))
		change()
		if out, err := l.start(); err == nil || !strings.Contains(out, "mine.yaml makes other cells than when this sweep began") {
			t.Errorf("%s has changed: %v\n%s", name, err, out)
		}
	}
	l.clean("refused", "1", "2")
	l.write("mine.yaml", strings.Replace(pairText, "[1, 2]", "[1, 3]", 1))
	l.expect("result 2 done 0 failed 0 left 2 ran", "FLAGS=restart")
	l.clean("restarted", "1", "1", "2", "3")
}

func TestRestartClearsUpFirst(t *testing.T) {
	l := newLab(t, pairText)
	l.die("worked")
	l.expect("result 2 done 0 failed 0 left 2 ran", "FLAGS=restart")
	l.clean("restarted", "1", "2")
}

func TestCellThatASignalEndsRunsAgain(t *testing.T) {
	l := newLab(t, pairText)
	l.write("tiny.yaml", strings.ReplaceAll(strings.Replace(tiny, "! grep", "[ -e AT/go ] || sleep 100; ! grep", 1), "AT", l.dir))
	cmd := l.command()
	must(t, cmd.Start())
	for end := time.Now().Add(20 * time.Second); l.ran() == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	must(t, cmd.Wait())
	l.clean("interrupted")
	l.write("go", "")
	l.expect("result 2 done 0 failed 0 left 2 ran")
	l.clean("in the end", "1", "2")
}

// TestSignalBetweenCellsEndsTheNext: it comes when none runs, after the last
// time that anybody asked.
func TestSignalBetweenCellsEndsTheNext(t *testing.T) {
	l := newLab(t, pairText)
	l.write("tiny.yaml", strings.ReplaceAll(strings.Replace(tiny, "! grep", "[ -e AT/go ] || sleep 100; ! grep", 1), "AT", l.dir))
	began := time.Now()
	said, err := l.start("END=begun")
	if took := time.Since(began); err != nil || took > 50*time.Second {
		t.Errorf("it took %s, %v\n%s", took, err, said)
	}
	l.clean("interrupted")
	l.write("go", "")
	l.expect("result 2 done 0 failed 0 left 2 ran")
	l.clean("in the end", "1", "2")
}

func TestFolderOfAnotherStateIsRefused(t *testing.T) {
	l := newLab(t, pairText)
	must(t, os.Mkdir(l.data(), 0o755))
	folder := Folder(l.data(), "mine")
	must(t, os.Mkdir(folder, 0o755))
	held, err := lockFolder(folder, 0)
	must(t, err)
	var busy *BusyError
	if second, err := lockFolder(folder, 100*time.Millisecond); !errors.As(err, &busy) {
		t.Errorf("a second sweep in the folder got %v, %v", second, err)
	}
	must(t, held.Close())
	l.expect("result 2 done")
}
