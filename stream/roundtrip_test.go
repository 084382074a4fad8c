// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/kermit-trace/kermit/stream"
)

func TestEveryTypeComesBackAsItWasWritten(t *testing.T) {
	_, batches, err := read(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]any{
		"c_bool": {false, true, true},
		"c_i8":   {int64(math.MinInt8), int64(math.MaxInt8), int64(5)},
		"c_i16":  {int64(math.MinInt16), int64(math.MaxInt16), int64(5)},
		"c_i32":  {int64(math.MinInt32), int64(math.MaxInt32), int64(5)},
		"c_i64":  {int64(math.MinInt64), int64(math.MaxInt64), int64(5)},
		"c_u8":   {int64(0), int64(math.MaxUint8), int64(5)},
		"c_u16":  {int64(0), int64(math.MaxUint16), int64(5)},
		"c_u32":  {int64(0), int64(math.MaxUint32), int64(5)},
		"c_u64":  {int64(0), int64(-1), int64(5)}, // beyond int64: wraps
		"c_f64":  {-math.MaxFloat64, math.MaxFloat64, 0.5},
		"c_str":  {"żaba\n", "", "żaba\n"},
		"member": {"none", "shmem", "9"},
		"dark":   {nil, nil, nil},
	}
	if len(batches) != 3 {
		t.Fatalf("%d batches", len(batches))
	}
	for _, i := range []int{0, 2} {
		b := batches[i]
		if b.Seq != uint64(i) || b.Rows != 3 {
			t.Errorf("batch %d: seq %d, %d rows", i, b.Seq, b.Rows)
		}
		for j, c := range b.Table.Columns {
			for row, value := range want[c.Name] {
				if got := b.Columns[j].Value(row); got != value {
					t.Errorf("%s, row %d: %v (%[3]T), want %v (%[4]T)", c.Name, row, got, value)
				}
			}
		}
	}
}

func TestAnEmptyBatchHasEmptyColumnsNotNullOnes(t *testing.T) {
	_, batches, err := read(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range batches[1].Columns {
		if v.Null || len(v.Data) != 0 {
			t.Errorf("column %s: NULL %t, %d bytes", batches[1].Table.Columns[i].Name, v.Null, len(v.Data))
		}
	}
}

func TestHeaderAndTableComeBackWhole(t *testing.T) {
	header := stream.NewHeader("test 1")
	header.Hooks, header.Tables = []string{"h"}, []string{"everything", "later"}
	header.Stop = stream.Stop{Socket: "socket", Secret: "secret"}
	table := everything()
	r := stream.NewReader(bytes.NewReader(write(t, func(w *stream.Writer) error {
		later := &stream.Table{Name: "later", Columns: []stream.Column{{Name: "a", Type: stream.I64}}, Unobservable: []string{}}
		return all(
			func() error { return w.Header(header) },
			func() error { return w.Table(table) },
			func() error { return w.Table(later) },
		)
	})))

	f, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Header, header) {
		t.Errorf("header %+v, want %+v", f.Header, header)
	}
	if r.Ready() {
		t.Error("ready before a table has come")
	}
	if f, err = r.Next(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Table, table) {
		t.Errorf("table %+v, want %+v", f.Table, table)
	}
	if r.Ready() {
		t.Error("ready with a table missing")
	}
	if _, err = r.Next(); err != nil {
		t.Fatal(err)
	}
	if !r.Ready() || r.Table("later") == nil || r.Header() == nil {
		t.Error("not ready with all tables declared")
	}
}

func TestHeaderDescribesThisMachine(t *testing.T) {
	h := stream.NewHeader("tool 1")
	if h.CPUs < runtime.NumCPU() || h.Host == "" || len(h.BootID) != 36 || h.Kernel == "" || h.Arch == "" || h.PageSize < 4096 {
		t.Errorf("header %+v", h)
	}
	if wall := h.BootUnixNS + stream.Now(); wall < 1.7e18 {
		t.Errorf("boot_unix_ns %d + ts_ns is long ago", h.BootUnixNS)
	}
}

func TestListsAreNeverNilOnTheWire(t *testing.T) {
	out := write(t, func(w *stream.Writer) error {
		return all(
			func() error { return w.Header(&stream.Header{}) },
			func() error {
				return w.Table(&stream.Table{Name: "a", Columns: []stream.Column{{Name: "a", Type: stream.Bool}}})
			},
		)
	})
	dec := msgpack.NewDecoder(bytes.NewReader(out))
	for _, keys := range [][]string{{"hooks", "tables"}, {"unobservable", "columns"}} {
		frame, err := dec.DecodeSlice()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if list, ok := frame[len(frame)-1].(object)[key].([]any); !ok {
				t.Errorf("%s is %v", key, list)
			}
		}
	}
}

func TestReaderDoesNotMindHowTheBytesCome(t *testing.T) {
	whole := sample(t)
	want, wantBatches, err := read(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	got, gotBatches, err := read(iotest.OneByteReader(bytes.NewReader(whole)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) || !reflect.DeepEqual(wantBatches, gotBatches) {
		t.Error("byte by byte, the stream reads otherwise")
	}
	if got, _, err = read(iotest.DataErrReader(bytes.NewReader(whole))); err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("with EOF beside the last bytes, the stream reads otherwise: %v", err)
	}
	if !bytes.Equal(join(got...), whole) {
		t.Error("the frames are not the stream")
	}
}

func TestReaderIgnoresWhatALaterVersionAdds(t *testing.T) {
	in := join(
		pack(t, 0, object{"magic": "kermit", "version": 1, "clock": "boottime", "colour": "green"}, "more"),
		pack(t, 1, "a", object{"columns": []any{object{"name": "x", "type": "u8", "scale": 3}}, "sorted": true}, "more"),
		pack(t, 2, "a", 0, 1, []any{[]byte{7}}, "more"),
		pack(t, 9, object{}, "more"),
	)
	_, batches, err := read(bytes.NewReader(in))
	if err != nil || len(batches) != 1 || batches[0].Columns[0].Value(0) != int64(7) {
		t.Errorf("%d batches, %v", len(batches), err)
	}
}

// Other encoders write 1 as an unsigned or a signed number of any width.
func TestIntegersMayUseAnyWidth(t *testing.T) {
	head := join(
		pack(t, 0, object{"magic": "kermit", "version": 1, "clock": "boottime"}),
		pack(t, 1, "a", object{"columns": []any{object{"name": "x", "type": "bool"}}}),
	)
	for _, one := range []string{
		"\x01", "\xcc\x01", "\xcd\x00\x01", "\xce\x00\x00\x00\x01", "\xcf\x00\x00\x00\x00\x00\x00\x00\x01",
		"\xd0\x01", "\xd1\x00\x01", "\xd2\x00\x00\x00\x01", "\xd3\x00\x00\x00\x00\x00\x00\x00\x01",
	} {
		batch := "\x95\x02\xa1a\x00" + one + "\x91\xc4\x01\x01"
		_, batches, err := read(bytes.NewReader(join(head, []byte(batch), pack(t, 9, object{}))))
		if err != nil || batches[0].Rows != 1 {
			t.Errorf("%x: %v", one, err)
		}
	}
	for _, bad := range []string{"\xff", "\xd0\xff", "\xd3\xff\xff\xff\xff\xff\xff\xff\xff", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xca\x3f\x80\x00\x00", "\xc3", "\xc0"} {
		batch := "\x95\x02\xa1a\x00" + bad + "\x91\xc4\x01\x01"
		if _, _, err := read(bytes.NewReader(join(head, []byte(batch)))); err == nil || !strings.Contains(err.Error(), "bad number of rows") {
			t.Errorf("%x is taken for a number of rows: %v", bad, err)
		}
	}
}
