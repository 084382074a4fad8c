// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// python is the interpreter that make deps sets up, with msgpack and numpy.
func python(t *testing.T) string {
	t.Helper()
	const path = "../.venv/bin/python"
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make deps", err)
	}
	return path
}

// dump prints what read_stream.py returns as JSON, each column as a list.
const dump = `
import json, sys
sys.path.insert(0, "../docs")
from read_stream import read
tables, whole = read(sys.stdin.buffer)
json.dump({"whole": whole, "tables": {t: {c: a.tolist() for c, a in columns.items()} for t, columns in tables.items()}}, sys.stdout)
`

type dumped struct {
	Whole  bool
	Tables map[string]map[string][]any
}

func readInPython(t *testing.T, in []byte) (got dumped) {
	t.Helper()
	cmd := exec.Command(python(t), "-B", "-c", dump)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.UseNumber() // float64 would round the large ones
	if err := dec.Decode(&got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return got
}

func TestPythonReadsTheSameValues(t *testing.T) {
	got := readInPython(t, sample(t))
	n := func(numbers ...string) []any {
		var list []any
		for range 2 { // two batches of the same rows, an empty one between them
			for _, s := range numbers {
				list = append(list, json.Number(s))
			}
		}
		return list
	}
	want := map[string][]any{
		"c_bool": {false, true, true, false, true, true},
		"c_i8":   n("-128", "127", "5"),
		"c_i16":  n("-32768", "32767", "5"),
		"c_i32":  n("-2147483648", "2147483647", "5"),
		"c_i64":  n("-9223372036854775808", "9223372036854775807", "5"),
		"c_u8":   n("0", "255", "5"),
		"c_u16":  n("0", "65535", "5"),
		"c_u32":  n("0", "4294967295", "5"),
		"c_u64":  n("0", "18446744073709551615", "5"),
		"c_f64":  n("-1.7976931348623157e+308", "1.7976931348623157e+308", "0.5"),
		"c_str":  {"żaba\n", "", "żaba\n", "żaba\n", "", "żaba\n"},
		"member": {"none", "shmem", "9", "none", "shmem", "9"},
		"dark":   {nil, nil, nil, nil, nil, nil},
	}
	table := got.Tables["everything"]
	for column, values := range want {
		if !reflect.DeepEqual(table[column], values) {
			t.Errorf("%s: %v, want %v", column, table[column], values)
		}
	}
	if !got.Whole || len(got.Tables) != 1 || len(table) != len(want) {
		t.Errorf("whole %t, %d tables, %d columns", got.Whole, len(got.Tables), len(table))
	}
}

func TestPythonReadsACutStreamUpToTheCut(t *testing.T) {
	whole := sample(t)
	frames, _, err := read(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	upTo := len(whole) - len(frames[5]) - len(frames[4])/2 // in the last batch
	got := readInPython(t, whole[:upTo])
	if rows := len(got.Tables["everything"]["c_i8"]); got.Whole || rows != 3 {
		t.Errorf("whole %t, %d rows", got.Whole, rows)
	}
}

func TestThePythonScriptPrintsTablesAndTellsACut(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		code int
		says []string
	}{
		{sample(t), 0, []string{"everything: 6 rows\n", "'c_i16': -32768", "'member': 'none', 'dark': None"}},
		{bulk(t, 5000, 3), 0, []string{"page_fault: 15000 rows\n"}},
		{sample(t)[:len(sample(t))-1], 1, []string{"everything: 6 rows\n", "the stream was cut"}},
		{pack(t, 0, object{"magic": "kermit", "version": 2}), 1, []string{"or of a newer one"}},
	} {
		cmd := exec.Command(python(t), "-B", "../docs/read_stream.py")
		cmd.Stdin = bytes.NewReader(c.in)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("exit code %d, want %d", code, c.code)
		}
		for _, s := range c.says {
			if !strings.Contains(string(out), s) {
				t.Errorf("%q is not in\n%s", s, out)
			}
		}
	}
}
