// SPDX-License-Identifier: Apache-2.0

package collect_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kermit-trace/kermit/bench/collect"
)

var hooks = collect.Hooks{
	Rooms:  []string{"page_fault", "process_trace", "quanta_runtime", "tcp_v4_rcv", "mm_rss_stat"},
	Tables: []string{"quanta_queued_time"},
}

func read(t *testing.T, text, benchmark string) (collect.Plan, []string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	plan, warnings, err := collect.Read(path, benchmark, hooks)
	for i, w := range warnings {
		warnings[i] = strings.TrimPrefix(w, path)
	}
	return plan, warnings, err
}

// lean is a plan as a line of text.
func lean(p collect.Plan) string {
	var knobs, set []string
	for _, k := range p.Knobs {
		knobs = append(knobs, k.Name+"="+k.Value)
	}
	for name, value := range p.Set {
		set = append(set, name+"="+value)
	}
	slices.Sort(set)
	return fmt.Sprintf("%s as %s %v; %v best effort %v; %v; %s every %s; dir %q",
		p.Workload, p.Name, set, p.Hooks, p.BestEffort, knobs, p.Output, p.Rotate, p.BenchmarkDir)
}

const (
	settings = "[drop_caches=3 transparent_hugepages=always overcommit_memory=heuristic khugepaged_scan_sleep_millis=no_change]"
	all      = "[page_fault process_trace quanta_runtime tcp_v4_rcv mm_rss_stat] best effort true"
	rest     = `data every 1m0s; dir ""`
)

// TestDefaultsAreThoseOfKernMLOpsCode: a file is laid over them, whatever of it
// is null or missing.
func TestDefaultsAreThoseOfKernMLOpsCode(t *testing.T) {
	want := "faux as faux []; " + all + "; " + settings + "; " + rest
	for _, text := range []string{
		"", "---\n", "# nothing\n", "null", "benchmark_config:\ncollector_config:\n", "benchmark_config: {generic: ~, redis: }\ncollector_config: {generic: }\n",
	} {
		plan, warnings, err := read(t, text, "")
		if got := lean(plan); err != nil || warnings != nil || got != want {
			t.Errorf("%q:\n     %s\nwant %s\n%v %q", text, got, want, err, warnings)
		}
	}
}

func TestFileIsLaidOverTheDefaults(t *testing.T) {
	for _, c := range []struct{ text, benchmark, want string }{
		{"benchmark_config: {generic: {benchmark: iperf}, iperf: {client_duration: 5, server_port: 0, zero_copy: yes, client_bandwidth: 0}, iperf3: {reverse: true}}", "",
			"iperf3 as iperf [client_bandwidth=0 client_duration=5 reverse=true server_port=0 zero_copy=true]; " + all + "; " + settings + "; " + rest},
		{"benchmark_config: {generic: {benchmark: redis}, iperf: {client_duration: 5}}", "iperf3",
			"iperf3 as iperf [client_duration=5]; " + all + "; " + settings + "; " + rest},
		{"benchmark_config: {generic: {benchmark: redis, benchmark_dir: /b}, redis: {record_count: 1_000, sleep: 1 min 30 s, server_sleep: null, tcmalloc: Off, read_proportion: 1, delete_proportion: .25}}", "",
			"redis as redis [delete_proportion=0.25 read_proportion=1 record_count=1000 server_sleep= sleep=1m30s tcmalloc=false]; " + all + "; " + settings + `; data every 1m0s; dir "/b"`},
		{"benchmark_config: {generic: {skip_clear_page_cache: true, transparent_hugepages: no_change, overcommit_memory: never_check, khugepaged_scan_sleep_millis: 500}}", "",
			"faux as faux []; " + all + "; [transparent_hugepages=no_change overcommit_memory=never_check khugepaged_scan_sleep_millis=500]; " + rest},
		{"collector_config: {generic: {poll_rate: 0.1, output_interval: 1h30m, output_dir: ./d, output_dfs: false, hooks: [tcp_v4_rcv, page_fault, tcp_v4_rcv]}}", "",
			"faux as faux []; [tcp_v4_rcv page_fault] best effort false; " + settings + `; ./d every 1h30m0s; dir ""`},
		{"collector_config: {generic: {hooks: [quanta_queued_time]}}", "", "faux as faux []; [quanta_queued_time] best effort false; " + settings + "; " + rest},
		{"collector_config: {generic: {hooks: []}}", "", "faux as faux []; [] best effort false; " + settings + "; " + rest},
		{"benchmark_config:\n  generic: {benchmark: redis}\n  memcached: &m {record_count: 7, operation_count: 8}\n  redis:\n    <<: *m\n    operation_count: 9\n", "",
			"redis as redis [operation_count=9 record_count=7]; " + all + "; " + settings + "; " + rest},
		{"benchmark_config: {generic: {benchmark: linux_build, cpus: 3}}", "", "linux_build as linux_build [jobs=3]; " + all + "; " + settings + "; " + rest},
		{"benchmark_config: {generic: {benchmark: nginxwrk}}", "", "nginx as nginxwrk []; " + all + "; " + settings + "; " + rest},
	} {
		plan, warnings, err := read(t, c.text, c.benchmark)
		if got := lean(plan); err != nil || warnings != nil || got != c.want {
			t.Errorf("%s:\n     %s\nwant %s\n%v %q", c.text, got, c.want, err, warnings)
		}
	}
}

// TestWhatIsNotDoneIsSaid: what KernMLOps' files name and is not to be had is a
// warning, one line each.
func TestWhatIsNotDoneIsSaid(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"collector_config:\n  generic:\n    hooks:\n    - perf\n    - page_fault\n    - softirq\n    - madvise\n",
			":4: not recorded here: perf, madvise (ktrace has no such hook yet)|:4: not recorded: softirq (nobody ever made such a hook)"},
		{"benchmark_config:\n  mongodb: {url: x}\n", ":2: benchmark mongodb of KernMLOps is not to be had here: its section has no effect"},
		{"benchmark_config:\n  generic:\n    cpus: 2\n", ":3: cpus: benchmark faux runs no jobs side by side: no effect"},
		{"collector_config:\n  generic:\n    output_dfs: true\n    output_graphs: yes\n",
			":3: output_dfs: tables are not printed; see kstat tables|:4: output_graphs: no graphs are drawn; see kstat --plot"},
	} {
		_, warnings, err := read(t, c.text, "")
		if got := strings.Join(warnings, "|"); err != nil || got != c.want {
			t.Errorf("%s: %v\n     %s\nwant %s", c.text, err, got, c.want)
		}
	}
}

// TestWrongFileIsRefused: with the line, and with what may have been meant.
func TestWrongFileIsRefused(t *testing.T) {
	const g, r, h = "benchmark_config:\n  generic:\n    ", "benchmark_config:\n  redis:\n    ", "collector_config:\n  generic:\n    "
	for _, c := range []struct {
		text, want, given string
		line              int
	}{
		{"benchmark:\n", `unknown key "benchmark" of the file`, "benchmark", 1},
		{"collector_config:\n  genric: {}\n", `unknown key "genric" of collector_config`, "genric", 2},
		{g + "thp: never", `unknown key "thp" of benchmark_config.generic`, "thp", 3},
		{r + "recordcount: 5", `unknown key "recordcount" of benchmark_config.redis`, "recordcount", 3},
		{"benchmark_config:\n  reddis: {}\n", `unknown key "reddis" of benchmark_config`, "reddis", 2},
		{g + "benchmark: rediss", `unknown benchmark "rediss"`, "rediss", 3},
		{g + "benchmark: mongodb", "benchmark mongodb of KernMLOps is not to be had here", "mongodb", 3},
		{g + "benchmark: 5", `benchmark: "5" is a number, not a text`, "", 3},
		{g + "transparent_hugepages: never_ever", `"never_ever" is not one of`, "never_ever", 3},
		{g + "transparent_hugepages: true", `"true" is true or false, not a text`, "", 3},
		{g + "khugepaged_scan_sleep_millis: -1", "-1 is negative", "", 3},
		{g + "khugepaged_scan_sleep_millis: 99999999999", "is not a number from 0 to", "", 3},
		{g + "cpus: two", `cpus: "two" is a text, not a whole number`, "", 3},
		{g + "skip_clear_page_cache: 'true'", `"true" is a text, not true or false`, "", 3},
		{r + `record_count: "1000"`, `record_count: "1000" is a text, not a whole number`, "", 3},
		{r + "record_count: 1e3", "not a whole number", "", 3},
		{r + "record_count: -5", "record_count: -5 is out of range", "", 3},
		{r + "record_count:", "record_count: null, not a whole number", "", 3},
		{r + "read_proportion: half", "not a number", "", 3},
		{r + "tcmalloc: 1", "not true or false", "", 3},
		{r + "sleep: soon", `sleep: "soon" is not a time such as`, "", 3},
		{r + "request_distribution: zipf", "want one of uniform, zipfian, latest", "", 3},
		{r + "request_distribution: [zipfian]", "a list, not a text", "", 3},
		{r + "record_count: 5\n    record_count: 6", `key "record_count" of benchmark_config.redis is there already, in line 3`, "", 4},
		{"benchmark_config:\n  redis: 5\n", "benchmark_config.redis is a number, not a mapping", "", 2},
		{"benchmark_config: []\n", "benchmark_config is a list, not a mapping", "", 1},
		{"5\n", "the file is a number, not a mapping", "", 1},
		{h + "hooks: page_fault", "not a list of hooks", "", 3},
		{h + "hooks:", "f.yaml:3: hooks: null, not a list of hooks", "", 3},
		{h + "hooks:\n    - page_fault\n    - page_foult\n", `unknown hook "page_foult"`, "page_foult", 5},
		{h + "hooks:\n    - 7\n", `"7" is a number, not a text`, "", 4},
		{h + "hooks:\n    - perf\n    - softirq\n", "ktrace has none of these hooks", "", 4},
		{h + "output_interval: 0.1", "at least a second", "", 3},
		{h + "output_interval: often", "is not a time such as", "", 3},
		{h + "output_dir: ''", "no directory", "", 3},
		{h + "poll_rate: fast", `poll_rate: "fast" is a text, not a number of seconds`, "", 3},
		{h + "poll_rate: -1", "want 0 to an hour", "", 3},
		{"benchmark_config:\n  redis:\n   a: b: c\n", "mapping values are not allowed", "", 3},
		{"benchmark_config: {\n", "did not find expected", "", 1},
		{"benchmark_config:\n  generic: {cpus: [1}\n", "did not find expected", "", 2},
		{"a: \xff\n", "invalid", "", 1},
		{"---\n---\n", "a second document", "", 2},
	} {
		_, _, err := read(t, c.text, "")
		var e *collect.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", c.text, err)
			continue
		}
		if e.Line != c.line || e.Given != c.given || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("f.yaml:%d: ", c.line)) {
			t.Errorf("%q: line %d, given %q: %v\nwant line %d, given %q: %s", c.text, e.Line, e.Given, err, c.line, c.given, c.want)
		}
		if e.Given != "" && len(e.Known) == 0 {
			t.Errorf("%q: nothing to choose from", c.text)
		}
	}
}

// TestChoiceOfTheCallerIsRefusedWithoutAPlace: it is not the file's.
func TestChoiceOfTheCallerIsRefusedWithoutAPlace(t *testing.T) {
	if _, _, err := read(t, "", "rediss"); err == nil || err.Error() != `unknown benchmark "rediss"` {
		t.Errorf("a benchmark that the caller chose: %v", err)
	}
	if _, _, err := collect.Read(filepath.Join(t.TempDir(), "none.yaml"), "", hooks); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestTimesAreThoseOfPytimeparse takes its documentation's examples.
func TestTimesAreThoseOfPytimeparse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "1.2 minutes": 72 * time.Second, "1m": time.Minute, "30 s": 30 * time.Second, "1h30m": 90 * time.Minute,
		"32m": 32 * time.Minute, "2h32m": 152 * time.Minute, "3d2h32m": 74*time.Hour + 32*time.Minute,
		"1w3d2h32m": 242*time.Hour + 32*time.Minute, "1w 3d 2h 32m": 242*time.Hour + 32*time.Minute, "1 w 3 d 2 h 32 m": 242*time.Hour + 32*time.Minute,
		"4:13": 253 * time.Second, "4:13:02": 4*time.Hour + 13*time.Minute + 2*time.Second, "4:13:02.266": 4*time.Hour + 13*time.Minute + 2266*time.Millisecond,
		"2:04:13:02.266": 52*time.Hour + 13*time.Minute + 2266*time.Millisecond, "5hr34m56s": 5*time.Hour + 34*time.Minute + 56*time.Second,
		"5 hours, 34 minutes, 56 seconds": 5*time.Hour + 34*time.Minute + 56*time.Second, "5 hrs, 34 mins, 56 secs": 5*time.Hour + 34*time.Minute + 56*time.Second,
		"2 days": 48 * time.Hour, "1.75 s": 1750 * time.Millisecond, "1.75": 1750 * time.Millisecond, "1 Hour": time.Hour,
	} {
		plan, _, err := read(t, "collector_config: {generic: {output_interval: '"+text+"'}}", "")
		if err != nil || plan.Rotate != want {
			t.Errorf("%q is %s, want %s (%v)", text, plan.Rotate, want, err)
		}
	}
	for _, text := range []string{"", " ", "m", "1x", "30m1h", "1m1m", "-1m", "1:2:3:4:5", "1h 30", "9999999999w", "1e3", "1:7"} {
		if plan, _, err := read(t, "collector_config: {generic: {output_interval: '"+text+"'}}", ""); err == nil {
			t.Errorf("%q is taken for %s", text, plan.Rotate)
		}
	}
}

// TestShippedFilesSayNothingWrong: not even a warning.
func TestShippedFilesSayNothingWrong(t *testing.T) {
	files, err := filepath.Glob("../../config/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("files %q (%v)", files, err)
	}
	for _, file := range append(files, "../../defaults.yaml") {
		plan, warnings, err := collect.Read(file, "", hooks)
		if err != nil || warnings != nil || len(plan.Hooks) == 0 || plan.BestEffort {
			t.Errorf("%s: %v %q, hooks %q", file, err, warnings, plan.Hooks)
		}
	}
	plan, _, err := collect.Read("../../defaults.yaml", "", hooks)
	if want := "faux as faux []; [page_fault mm_rss_stat process_trace tcp_v4_rcv] best effort false; " + settings + "; " + rest; err != nil || lean(plan) != want {
		t.Errorf("defaults.yaml:\n     %s\nwant %s (%v)", lean(plan), want, err)
	}
}
