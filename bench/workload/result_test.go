// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestResultsAreReadFromTheOutput(t *testing.T) {
	for name, c := range map[string]struct {
		measure Measure
		output  string
		want    string // rows, or the error
	}{
		"number of JSON":      {Measure{Metric: "m", Unit: "s", JSON: "a.0.b"}, `{"a":[{"b":1.5}]}`, "m 1.5 s"},
		"text of JSON":        {Measure{Metric: "m", JSON: "a"}, `{"a":"1"}`, "error: result m: no number at a"},
		"cut JSON":            {Measure{Metric: "m", JSON: "a"}, `{"a":1`, "error: result m: the output is not JSON"},
		"missing":             {Measure{Metric: "m", JSON: "a"}, `{}`, "error: result m: no number"},
		"missing, and may be": {Measure{Metric: "m", JSON: "a", Optional: true}, `{}`, ""},
		"each match":          {Measure{Metric: "$1", Pattern: `^(\w+): (\d+)`, Value: "$2"}, "a: 1\nb: 2\n", "a 1 ; b 2 "},
		"thousands":           {Measure{Metric: "m", Pattern: `is ([\d,]+)`}, "is 1,234,567", "m 1.234567e+06 "},
		"no number":           {Measure{Metric: "m", Pattern: `is (\S+)`}, "is so", `error: result m: "so" in the output is not a number`},
		"no match":            {Measure{Metric: "m", Pattern: `is (\S+)`}, "\xff\x00", "error: result m: nothing in the output matches"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := c.measure.read([]byte(c.output))
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s %v %s", r.Metric, r.Value, r.Unit))
			}
			if err != nil {
				got = append(got, "error: "+err.Error())
			}
			if text := strings.Join(got, "; "); text != c.want && (err == nil || !strings.HasPrefix(text, c.want)) {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

func TestMemoryForOutputIsBounded(t *testing.T) {
	c := &capture{most: 1000}
	for i := range 10000 {
		if _, err := fmt.Fprintf(c, "%06d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.bytes()); n != 1000 {
		t.Errorf("%d bytes are kept, want 1000", n)
	}
	if cap(c.data) > 4000 {
		t.Errorf("they take %d bytes", cap(c.data))
	}
	if end := string(c.end(7)); end != "009999\n" {
		t.Errorf("the end is %q", end)
	}
}

func TestWhatATerminalWouldObeyIsNotShown(t *testing.T) {
	got := lastLines([]byte("\x1b[2Jgone\r\n\xff\x00\ttab\n" + strings.Repeat("x", 5000) + "\n"))
	if want := "; it printed:\n  .[2Jgone\n  \ufffd. tab\n  " + strings.Repeat("x", tailWidth) + "…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if many := lastLines([]byte(strings.Repeat("line\n", 100))); strings.Count(many, "line") != tailLines {
		t.Errorf("of 100 lines it shows\n%s", many)
	}
}

func TestLogBeginsAnewWhenItIsTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := createLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	gone := make(chan struct{})
	defer close(gone)
	go boundLog(f, gone)
	if err := f.Truncate(mostLog + 1); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for range 1000 {
		if size() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := f.WriteString("on\n"); err != nil || size() != 3 {
		t.Errorf("then it has %d bytes, want 3: %v", size(), err)
	}
}
