// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kermit-trace/kermit/stream"
)

func TestTextEscapesOnlyWhatIsNotUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"bash":               "bash",
		"żaba":               "żaba",
		`back\slash`:         `back\slash`,
		"a\x00b\n":           "a\x00b\n",
		"\xff":               `\xff`,
		"abc\xc5":            `abc\xc5`, // "ż" cut in the middle
		"a\xe2\x82z":         `a\xe2\x82z`,
		"\xed\xa0\x80":       `\xed\xa0\x80`, // a surrogate
		"\xf0\x9f\x90\xb8ok": "🐸ok",
		"\uFFFD":             "\uFFFD", // a character like others
		"\uFFFD\xff":         "\uFFFD" + `\xff`,
	} {
		if got := stream.Text(in); got != want || !utf8.ValidString(got) {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJSONLinesKeepOrderAndCharacters(t *testing.T) {
	_, batches, err := read(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := batches[0].WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(out.String(), "\n")
	want := `{"table":"everything","c_bool":true,"c_i8":5,"c_i16":5,"c_i32":5,"c_i64":5,` +
		`"c_u8":5,"c_u16":5,"c_u32":5,"c_u64":5,"c_f64":0.5,"c_str":"żaba\n","member":"9","dark":null}` + "\n"
	if len(lines) != 4 || lines[2] != want {
		t.Errorf("%d lines, the third\n%s want\n%s", len(lines)-1, lines[2], want)
	}
	for _, line := range lines[:3] {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestJSONLeavesShellCharactersReadable(t *testing.T) {
	rows := stream.NewRows[struct {
		Cmdline string  `col:"cmdline"`
		Ratio   float64 `col:"ratio"`
	}]("process_info", "", "test")
	rows.Append(struct {
		Cmdline string  `col:"cmdline"`
		Ratio   float64 `col:"ratio"`
	}{`sh -c "a && b > c"`, math.NaN()})
	var out bytes.Buffer
	if err := rows.Batch().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if want := `{"table":"process_info","cmdline":"sh -c \"a && b > c\"","ratio":null}` + "\n"; out.String() != want {
		t.Errorf("%s want %s", out.String(), want)
	}
}
