// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kermit-trace/kermit/stream"
)

// opening is a header and the table a(x u8, s str).
func opening(t testing.TB) [][]byte {
	return [][]byte{
		pack(t, 0, object{"magic": "kermit", "version": 1, "clock": "boottime"}),
		declaration(t, "a", "u8"),
	}
}

func declaration(t testing.TB, name, typ string) []byte {
	return pack(t, 1, name, object{"columns": []any{object{"name": "x", "type": typ}, object{"name": "s", "type": "str"}}})
}

// row is a batch of one row of the table a.
func row(t testing.TB, seq int) []byte {
	return pack(t, 2, "a", seq, 1, []any{[]byte{1}, []any{[]string{"s"}, []byte{0, 0, 0, 0}}})
}

func batchOf(t testing.TB, rows any, columns ...any) []byte { return pack(t, 2, "a", 0, rows, columns) }

var index0 = []byte{0, 0, 0, 0}

// bad are frames that a reader refuses behind those of opening.
func bad(t testing.TB) map[string]struct{ frame, says string } {
	s := func(b []byte) string { return string(b) }
	good := []any{[]string{"s"}, index0}
	return map[string]struct{ frame, says string }{
		"text in the middle":                {"panic: runtime error", "not an array"},
		"a second header":                   {s(opening(t)[0]), "once"},
		"a frame of unknown kind":           {s(pack(t, 3, "a")), "unknown kind 3"},
		"a kind that is 2 in its last byte": {s(pack(t, 258, "a", 0, 1, []any{[]byte{1}, good})), "unknown kind 258"},
		"an empty frame":                    {"\x90", "no kind"},
		"a kind that is text":               {s(pack(t, "a", 1)), "no kind"},
		"the same table again":              {s(declaration(t, "a", "u8")), "declared twice"},
		"a table of another shape":          {s(declaration(t, "a", "u16")), "change in the middle"},
		"a table without a name":            {s(declaration(t, "", "u8")), "without a name"},
		"a table named nil":                 {s(pack(t, 1, nil, object{})), "no name"},
		"a table without columns":           {s(pack(t, 1, "b", object{})), "no columns"},
		"a column of unknown type":          {s(declaration(t, "b", "u7")), `unknown type "u7"`},
		"two columns of one name":           {s(pack(t, 1, "b", object{"columns": []any{object{"name": "x", "type": "u8"}, object{"name": "x", "type": "u8"}}})), "used twice"},
		"labels of a text":                  {s(pack(t, 1, "b", object{"columns": []any{object{"name": "x", "type": "str", "labels": []any{[]any{1, "one"}}}}})), "cannot have labels"},
		"a label that is not a pair":        {s(pack(t, 1, "b", object{"columns": []any{object{"name": "x", "type": "u8", "labels": []any{[]any{1}}}}})), "table b"},
		"a column name that is not UTF-8":   {s(pack(t, 1, "b", object{"columns": []any{object{"name": "x\xff", "type": "u8"}}})), "not UTF-8"},
		"a column name as bin":              {s(pack(t, 1, "b", object{"columns": []any{object{"name": []byte("x\xff"), "type": "u8"}}})), "a bin where text is due"},
		"a map of too many columns":         {s(pack(t, 1, "b", object{"columns": object{"name": "x"}})), "table b"},
		"a batch of an undeclared table":    {s(pack(t, 2, "b", 0, 1, []any{[]byte{1}})), `"b" was not declared`},
		"a batch without a name":            {s(pack(t, 2, nil, 0, 1, []any{[]byte{1}})), "no name"},
		"a batch too few":                   {s(row(t, 1)), "number 1 where 0 is due"},
		"a negative seq":                    {s(row(t, -1)), "where 0 is due"},
		"negative rows":                     {s(batchOf(t, -1, nil, nil)), "bad number of rows"},
		"more rows than a frame could hold": {s(batchOf(t, stream.MaxFrame+1, nil, nil)), "bad number of rows"},
		"columns missing":                   {s(batchOf(t, 1, []byte{1})), "1 columns, the table has 2"},
		"columns that are nil":              {s(pack(t, 2, "a", 0, 1, nil)), "0 columns"},
		"columns that are a map":            {s(pack(t, 2, "a", 0, 1, object{"x": []byte{1}})), "0 columns"},
		"a column that is short":            {s(batchOf(t, 2, []byte{1}, good)), "1 bytes for 2 values"},
		"a column that is long":             {s(batchOf(t, 0, []byte{1}, []any{[]string{}, []byte{}})), "1 bytes for 0 values"},
		"numbers as text":                   {s(batchOf(t, 1, "1", good)), "neither bin"},
		"numbers as an array":               {s(batchOf(t, 1, []int{1}, good)), "neither bin"},
		"texts without indexes":             {s(batchOf(t, 1, []byte{1}, []any{[]string{"s"}})), "neither bin"},
		"texts, indexes and more":           {s(batchOf(t, 1, []byte{1}, []any{[]string{"s"}, index0, nil})), "neither bin"},
		"texts as bin":                      {s(batchOf(t, 1, []byte{1}, []any{[]any{[]byte("s")}, index0})), "neither bin"},
		"texts that are a map":              {s(batchOf(t, 1, []byte{1}, []any{object{"s": nil}, index0})), "neither bin"},
		"indexes alone":                     {s(batchOf(t, 1, []byte{1}, index0)), "neither bin"},
		"indexes that are nil":              {s(batchOf(t, 1, []byte{1}, []any{[]string{"s"}, nil})), "neither bin"},
		"an index without a text":           {s(batchOf(t, 1, []byte{1}, []any{[]string{"s"}, []byte{1, 0, 0, 0}})), "index 1 of 1"},
		"the highest index":                 {s(batchOf(t, 1, []byte{1}, []any{[]string{"s"}, []byte{255, 255, 255, 255}})), "index 4294967295 of 1"},
		"text that is not UTF-8":            {s(batchOf(t, 1, []byte{1}, []any{[]string{"s\xff"}, index0})), "not UTF-8"},
		"an extension type":                 {"\x95\x02\xa1a\x00\x01\x92\xd4\x05\x01", "byte 0xd4 starts no value"},
		"a time":                            {"\x92\x09\xd6\xff\x00\x00\x00\x00", "byte 0xd6 starts no value"},
		"the byte that msgpack never uses":  {"\x92\x09\xc1", "byte 0xc1 starts no value"},
	}
}

func TestReaderRefusesWhatIsWrongAndTellsWhere(t *testing.T) {
	head := opening(t)
	for name, c := range bad(t) {
		t.Run(name, func(t *testing.T) {
			frames, _, err := read(bytes.NewReader(join(head[0], head[1], []byte(c.frame))))
			var at *stream.Error
			if !errors.As(err, &at) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %q", err, c.says)
			}
			if want := int64(len(head[0]) + len(head[1])); at.Offset != want {
				t.Errorf("offset %d, want %d", at.Offset, want)
			}
			if !bytes.HasPrefix(join(frames...), join(head...)) {
				t.Errorf("%d frames were given before it", len(frames))
			}
			if errors.Is(err, stream.ErrNotStream) || errors.Is(err, stream.ErrCut) {
				t.Errorf("%v: the start was a good stream, and nothing is cut", err)
			}
		})
	}
}

func TestABoolIsZeroOrOne(t *testing.T) {
	head := join(opening(t)[0], declaration(t, "a", "bool"))
	good := []any{[]string{"s"}, index0}
	if _, _, err := read(bytes.NewReader(join(head, batchOf(t, 1, []byte{2}, good)))); err == nil || !strings.Contains(err.Error(), "bool is 2") {
		t.Errorf("%v", err)
	}
	if _, _, err := read(bytes.NewReader(join(head, batchOf(t, 1, []byte{1}, good), pack(t, 9, object{})))); err != nil {
		t.Error(err)
	}
}

func TestASeqThatSkipsIsAnError(t *testing.T) {
	head := join(opening(t)...)
	_, batches, err := read(bytes.NewReader(join(head, row(t, 0), row(t, 1), row(t, 3))))
	if err == nil || !strings.Contains(err.Error(), "number 3 where 2 is due") || len(batches) != 2 {
		t.Errorf("%d batches, %v", len(batches), err)
	}
}

func TestNothingFollowsTheEndFrame(t *testing.T) {
	whole := sample(t)
	for _, more := range [][]byte{whole, {0x92}, []byte("bye\n"), {0xc1}} {
		_, batches, err := read(bytes.NewReader(join(whole, more)))
		var at *stream.Error
		if !errors.As(err, &at) || !strings.Contains(err.Error(), "data after the end") || at.Offset != int64(len(whole)) || len(batches) != 3 {
			t.Errorf("% x…: %d batches, %v", more[:1], len(batches), err)
		}
	}
}

func TestWhatIsNoStreamIsCalledSo(t *testing.T) {
	for name, in := range map[string]string{
		"text":                       "hello, world\n",
		"one letter":                 "h",
		"a Parquet file":             "PAR1\x15\x04",
		"gzip":                       "\x1f\x8b\x08\x00",
		"zeros":                      strings.Repeat("\x00", 100),
		"text beyond ASCII":          "źdźbło",
		"msgpack, not an array":      "\xdb\xff\xff\xff\xff",
		"a batch first":              string(row(t, 0)),
		"the end first":              string(pack(t, 9, object{})),
		"an array of something else": string(pack(t, 0, "a")),
		"another magic":              string(pack(t, 0, object{"magic": "frog", "version": 1, "clock": "boottime"})),
		"no version":                 string(pack(t, 0, object{"magic": "kermit", "clock": "boottime"})),
		"a negative version":         string(pack(t, 0, object{"magic": "kermit", "version": -2, "clock": "boottime"})),
		"another clock":              string(pack(t, 0, object{"magic": "kermit", "version": 1, "clock": "wall"})),
		"a nil header":               string(pack(t, 0, nil)),
	} {
		frames, _, err := read(strings.NewReader(in))
		var at *stream.Error
		if !errors.Is(err, stream.ErrNotStream) || !errors.As(err, &at) || at.Offset != 0 || len(frames) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANewerVersionIsCalledSo(t *testing.T) {
	for name, h := range map[string]object{
		"with the same fields": {"magic": "kermit", "version": 2, "clock": "boottime"},
		"with other fields":    {"magic": "kermit", "version": 200, "clock": 7, "hooks": "many", "cpus": []int{1}},
	} {
		_, _, err := read(bytes.NewReader(pack(t, 0, h)))
		if !errors.Is(err, stream.ErrVersion) || errors.Is(err, stream.ErrNotStream) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEmptyInputIsCalledSo(t *testing.T) {
	if _, _, err := read(strings.NewReader("")); !errors.Is(err, stream.ErrEmpty) {
		t.Error(err)
	}
}

func TestACutStreamGivesEverythingBeforeTheCut(t *testing.T) {
	whole := sample(t)
	frames, _, err := read(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < len(whole); cut++ {
		complete, n := int64(0), 0
		for _, f := range frames {
			if complete+int64(len(f)) > int64(cut) {
				break
			}
			complete, n = complete+int64(len(f)), n+1
		}
		got, _, err := read(bytes.NewReader(whole[:cut]))
		var at *stream.Error
		if !errors.Is(err, stream.ErrCut) || !errors.As(err, &at) || at.Offset != complete || len(got) != n {
			t.Errorf("cut at %d: %d of %d frames, %v, want byte %d", cut, len(got), n, err, complete)
		}
	}
}

func TestAnErrorOfTheInputIsPassedOn(t *testing.T) {
	broken := errors.New("input/output error")
	whole := sample(t)
	for _, at := range []int{0, 1, 100, len(whole)} {
		in := io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(broken))
		if _, _, err := read(in); !errors.Is(err, broken) || errors.Is(err, stream.ErrCut) {
			t.Errorf("behind %d bytes: %v", at, err)
		}
	}
}

func TestAnErrorStays(t *testing.T) {
	r := stream.NewReader(strings.NewReader("hello"))
	_, first := r.Next()
	if _, again := r.Next(); first == nil || !errors.Is(again, first) {
		t.Errorf("%v, then %v", first, again)
	}
	r = stream.NewReader(bytes.NewReader(sample(t)))
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v", err)
	}
}
