// SPDX-License-Identifier: Apache-2.0

package stream_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/kermit-trace/kermit/stream"
)

// fuzzBudget is what reading any input may allocate: the reader's first buffer,
// and for each of the input's bytes the largest thing a byte can stand for, an
// empty column of a table (some 100 bytes, twice while the list is built; a
// frame that is cut has its declared length, 16 MiB, on top).
func fuzzBudget(n int) uint64 { return 1<<20 + 1<<25 + 400*uint64(n) }

func FuzzReader(f *testing.F) {
	whole := sample(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bulk(f, 3, 2))
	head := join(opening(f)...)
	f.Add(join(head, row(f, 0), row(f, 1)))
	for _, c := range bad(f) {
		f.Add(join(head, []byte(c.frame)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var consumed int
		if n := allocated(func() { consumed = consume(t, bytes.NewReader(in), in) }); n > fuzzBudget(len(in)) {
			t.Errorf("%d bytes of input: %d bytes allocated", len(in), n)
		}
		if again := consume(t, iotest.OneByteReader(bytes.NewReader(in)), in); again != consumed {
			t.Errorf("byte by byte %d bytes are read, else %d", again, consumed)
		}
	})
}

// consume reads in to its end or its error, writes it again, and returns how
// many bytes were frames.
func consume(t *testing.T, from io.Reader, in []byte) (consumed int) {
	r := stream.NewReader(from)
	var again, copied bytes.Buffer
	w, c := stream.NewWriter(&again), stream.NewWriter(&copied)
	whole := true // every batch was good
	for {
		f, err := r.Next()
		if err != nil {
			var at *stream.Error
			if !errors.Is(err, io.EOF) && (!errors.As(err, &at) || at.Offset != int64(consumed)) {
				t.Errorf("behind %d bytes: %v", consumed, err)
			}
			break
		}
		if !bytes.HasPrefix(in[consumed:], f.Raw) || len(f.Raw) == 0 {
			t.Fatalf("frame at byte %d is not what stands there", consumed)
		}
		consumed += len(f.Raw)
		if err := c.Copy(f); err != nil {
			t.Fatalf("copy a frame that was read: %v", err)
		}
		if whole {
			whole = rewrite(t, w, f)
		}
	}
	if !bytes.Equal(copied.Bytes(), in[:consumed]) {
		t.Error("the copy differs")
	}
	if _, _, err := read(&again); err != nil && !errors.Is(err, stream.ErrCut) && !errors.Is(err, stream.ErrEmpty) {
		t.Errorf("written again, it cannot be read: %v", err)
	}
	return consumed
}

// rewrite writes a frame from its decoded parts; it tells whether it could be
// decoded.
func rewrite(t *testing.T, w *stream.Writer, f *stream.Frame) bool {
	var err error
	switch f.Kind {
	case stream.KindHeader:
		err = w.Header(f.Header)
	case stream.KindTable:
		err = w.Table(f.Table)
	case stream.KindEnd:
		err = w.End()
	case stream.KindBatch:
		b, bad := f.Batch()
		if bad != nil {
			return false
		}
		for i := range b.Columns {
			if b.Rows > 0 {
				_ = b.Columns[i].Value(b.Rows - 1)
			}
		}
		err = w.Batch(b)
	}
	if err != nil {
		t.Errorf("write again what was read: %v", err)
	}
	return true
}
