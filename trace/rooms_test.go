// SPDX-License-Identifier: Apache-2.0

package trace_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kermit-trace/kermit/bpf"
	"github.com/kermit-trace/kermit/internal/script"
	"github.com/kermit-trace/kermit/trace"
)

func TestMain(m *testing.M) { script.Main(m) }

// allMechanisms is set on kernels that let everything in: there a source that
// is refused, though its condition holds, is a failure.
const allMechanisms = "KERMIT_ALL_MECHANISMS"

// diagnose asks the doctor, who is root where we are not.
func diagnose(t *testing.T) *trace.Report {
	t.Helper()
	doctor := script.Command(t, "ktrace", "doctor", "--format", "json")
	doctor.Stderr = os.Stderr
	out, err := doctor.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) { // 1: a hook has no way in
		t.Fatalf("ask the doctor: %v", err)
	}
	var report trace.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("read what the doctor says: %v\n%s", err, out)
	}
	return &report
}

// Each room's script compares its tables with an independent witness, once for
// every source that this kernel lets in; at least one must be. It prints a
// line a source for the table of all kernels (make test-vm).
func TestRoomsAgreeWithTheirWitness(t *testing.T) {
	rooms, err := trace.Rooms(bpf.Rooms)
	if err != nil {
		t.Fatal(err)
	}
	for i, hook := range diagnose(t).Hooks {
		ran, agreed := 0, 0 // -run may choose some
		for j, source := range hook.Sources {
			t.Run(hook.Name+"/"+source.Name, func(t *testing.T) {
				verdict := "FAILS"
				ran++
				defer func() { fmt.Printf("\nMATRIX|%s|%s|%s\n", hook.Name, source.Name, verdict) }()
				if source.Verdict == trace.Refused {
					verdict = "refused: " + source.Why
					if os.Getenv(allMechanisms) != "" && rooms[i].Sources[j].Holds() == nil {
						verdict = "FAILS, refused: " + source.Why
						t.Errorf("this kernel should let it in: %s", source.Why)
					}
					return
				}
				ok := t.Run("witness", func(t *testing.T) {
					scripts, _ := filepath.Glob(filepath.Join("../bpf", hook.Name, "*.txt"))
					for _, file := range scripts { // one after the other, each on all CPUs
						t.Run(filepath.Base(file), func(t *testing.T) {
							script.RunWith(t, map[string]string{"SOURCE": source.Name}, file)
						})
					}
				})
				if !ok {
					return
				}
				agreed++
				verdict = "agrees"
				for k, u := range source.Unobservable {
					verdict += map[bool]string{true: " | unobservable: ", false: "; "}[k == 0] + u
				}
			})
		}
		if ran == len(hook.Sources) && agreed == 0 {
			t.Errorf("%s: no source of it agrees with its witness here", hook.Name)
		}
	}
}

// The rest of what must hold on every kernel.
func TestRoomsFilterByProcess(t *testing.T) { script.Run(t, "testdata/filter.txt") }

func TestRoomsAreKnownToTheDoctor(t *testing.T) { script.Run(t, "testdata/doctor.txt") }
