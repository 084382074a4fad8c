// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHalfARecordIsNone(t *testing.T) {
	whole := newLab(t, pairText)
	whole.expect("result 2 done")
	text := raw(t, filepath.Join(Folder(whole.data(), "mine"), stateName))
	last := strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n') + 1
	for _, size := range []int{last, last + 1, (last + len(text)) / 2, len(text) - 1} {
		l := newLab(t, pairText)
		must(t, os.CopyFS(l.data(), os.DirFS(whole.data())))
		must(t, os.Truncate(filepath.Join(Folder(l.data(), "mine"), stateName), int64(size)))
		l.write("tiny.yaml", raw(t, filepath.Join(whole.dir, "tiny.yaml")))
		l.expect("result 2 done 0 failed 0 left 0 ran")
		l.clean("a record was half written", "1", "2")
		if again := raw(t, filepath.Join(Folder(l.data(), "mine"), stateName)); strings.Count(again, "\n") != strings.Count(text, "\n") {
			t.Errorf("cut to %d of %d bytes, the state is now\n%s", size, len(text), again)
		}
	}
}

func TestDamagedStateIsNamedWithItsLine(t *testing.T) {
	head := `{"sweep":{"version":1,"name":"mine","run":"5f0c91ab","cells":2}}` + "\n"
	for text, want := range map[string]string{
		"nonsense\n":                     ":1: invalid character",
		`{"sweep":{"version":2}}` + "\n": ":1: version 2: this kbench reads version 1",
		`{"begin":{"cell":1}}` + "\n":    ":1: a sweep begins once, first",
		head + head:                      ":2: a sweep begins once, first",
		head + `{"begin":{"cell":1}}` + "\n" + `{"begin":{"cell":2}}` + "\n":        ":3: cells begin and end one after the other",
		head + `{"begin":{"cell":1}}` + "\n" + `{"end":{"cell":2}}` + "\n":          ":3: cells begin and end one after the other",
		head + "\n" + `{"begin":{"cell":1}}` + "\n":                                 ":2: unexpected end of JSON input",
		head + `{"begin":{"cell":1}}` + "\n" + `{"begin":{"cell":2}}` + "never end": "",
	} {
		path := filepath.Join(t.TempDir(), stateName)
		must(t, os.WriteFile(path, []byte(text), 0o644))
		_, _, err := replay(path)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), path+want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestNothingOfHalfARecordStays(t *testing.T) {
	head := `{"sweep":{"version":1,"name":"mine","run":"5f0c91ab","cells":2}}` + "\n"
	path := filepath.Join(t.TempDir(), stateName)
	must(t, os.WriteFile(path, []byte(head+strings.Repeat("x", 5000)), 0o644))
	s, err := openState(path)
	must(t, err)
	defer s.close()
	must(t, s.append(record{Begin: &begin{Cell: 1}}))
	text := raw(t, path)
	if rest, ok := strings.CutPrefix(text, head+`{"begin":{"cell":1,`); !ok || strings.Count(rest, "\n") != 1 || !strings.HasSuffix(rest, "}}\n") {
		t.Errorf("the state is %d bytes:\n%.300s", len(text), text)
	}
}
