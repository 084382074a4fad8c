// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

type passRow struct {
	TS   int64   `col:"ts_ns" doc:"when"`
	CPU  int32   `col:"cpu" doc:"where"`
	Flag bool    `col:"flag" doc:"a byte a row"`
	Comm string  `col:"comm" doc:"who"`
	Load float64 `col:"load" doc:"how much"`
}

// passStream writes batches of the given numbers of rows between small ones of
// another table.
func passStream(t *testing.T, rows ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	large := NewRows[passRow]("large", "rows", "test")
	small := NewRows[passRow]("small", "rows", "test")
	h := NewHeader("test")
	h.Tables = []string{"large", "small"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.Header(h))
	must(w.Table(large.Table()))
	must(w.Table(small.Table()))
	for i, n := range rows {
		for k := range n {
			large.Append(passRow{TS: int64(k), CPU: int32(k), Flag: k%3 == 0, Comm: fmt.Sprint("task", k%200), Load: float64(k)})
		}
		b := large.Batch()
		if i%2 == 1 {
			b.Columns[4] = Vector{Null: true}
		}
		must(w.Batch(b))
		small.Append(passRow{TS: int64(i), Comm: "small"})
		must(w.Batch(small.Batch()))
	}
	must(w.End())
	return out.Bytes()
}

// passed is what came out behind a Passer.
type passed struct {
	out     []byte
	batches int // that the Passer passed
	err     error
	w       *Writer
}

// pass sends raw through a Passer, in chunks of at most the given size.
func pass(t *testing.T, raw []byte, chunk int) passed {
	t.Helper()
	in, feed := testPipe(t)
	drain, out := testPipe(t)
	go func() {
		for rest := raw; len(rest) > 0; {
			n := min(len(rest), 1+rand.IntN(chunk))
			if _, err := feed.Write(rest[:n]); err != nil {
				break
			}
			rest = rest[n:]
		}
		_ = feed.Close()
	}()
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(drain)
		got <- b
	}()
	p := passed{w: NewWriter(out)}
	p.batches, p.err = relay(NewReader(in), p.w)
	_ = in.Close()
	_ = out.Close()
	p.out = <-got
	return p
}

func relay(r *Reader, w *Writer) (batches int, err error) {
	p, err := NewPasser(r, w)
	if err != nil {
		return 0, err
	}
	for {
		ok, err := p.Batch()
		if err != nil {
			return batches, err
		}
		if ok {
			batches++
			continue
		}
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return batches, nil
		}
		if err != nil {
			return batches, err
		}
		if err := w.Copy(f); err != nil {
			return batches, err
		}
	}
}

func testPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func TestPasserLeavesEveryByteAsItIs(t *testing.T) {
	// The last but one is larger than the stage, all in all and in one column.
	raw := passStream(t, 0, 1, 100, 4096, 4096, 4095, 30_000, 300_000, 4096)
	for _, chunk := range []int{100, 5000, 100_000, 10 << 20} {
		p := pass(t, raw, chunk)
		if p.err != nil || !bytes.Equal(p.out, raw) {
			t.Errorf("chunks up to %d: %d of %d bytes came through, error %v", chunk, len(p.out), len(raw), p.err)
		}
		if p.batches != 18 {
			t.Errorf("chunks up to %d: %d of 18 batches were passed", chunk, p.batches)
		}
	}
}

// plain is what a Reader alone gets out of raw: the whole frames' bytes, and
// the error.
func plain(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	r, w := NewReader(bytes.NewReader(raw)), NewWriter(&out)
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err == nil {
			err = w.Copy(f)
		}
		if err != nil {
			return out.Bytes(), err
		}
	}
}

func sameEnd(t *testing.T, what string, p passed, wantOut []byte, wantErr error) {
	t.Helper()
	if !bytes.Equal(p.out, wantOut) {
		t.Errorf("%s: %d bytes came through, want %d", what, len(p.out), len(wantOut))
	}
	var got, want *Error
	if errors.As(p.err, &got) != errors.As(wantErr, &want) || got != nil && got.Offset != want.Offset {
		t.Errorf("%s: error %v, want %v", what, p.err, wantErr)
	}
}

func TestPasserKeepsBackAFrameThatIsCut(t *testing.T) {
	raw := passStream(t, 4096, 4096)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		at := random.IntN(len(raw))
		out, err := plain(raw[:at])
		p := pass(t, raw[:at], 70_000)
		sameEnd(t, fmt.Sprintf("cut at %d", at), p, out, err)
		if at > 1000 && !errors.Is(p.err, ErrCut) {
			t.Errorf("cut at %d: error %v", at, p.err)
		}
		if p.w.failed != nil {
			t.Errorf("cut at %d: the writer cannot go on: %v", at, p.w.failed)
		}
	}
}

func TestPasserRefusesWhatTheReaderRefuses(t *testing.T) {
	raw := passStream(t, 4096, 4096)
	random := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 300 {
		bad := bytes.Clone(raw)
		at := random.IntN(len(bad))
		if random.IntN(2) == 0 { // where heads are, mostly
			at = bytes.LastIndexByte(bad[:at+1], 0xc5)
		}
		if at < 0 {
			continue
		}
		bad[at] ^= byte(1 + random.IntN(255))
		out, err := plain(bad)
		sameEnd(t, fmt.Sprintf("byte %d is %#x", at, bad[at]), pass(t, bad, 1<<20), out, err)
		if err != nil {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("only %d of 300 streams were bad", refused)
	}
}

// TestPasserHalfAFrame: a frame that the stage cannot hold goes out in parts;
// when it is cut, nothing may follow it.
func TestPasserHalfAFrame(t *testing.T) {
	raw := passStream(t, 300_000)
	p := pass(t, raw[:len(raw)/2], 1<<20)
	if !errors.Is(p.err, ErrCut) {
		t.Errorf("error %v, want a cut", p.err)
	}
	if err := p.w.End(); !errors.Is(err, errHalf) {
		t.Errorf("a frame after half a frame: error %v", err)
	}
}

func TestPasserTellsTheReaderFromTheWriter(t *testing.T) {
	in, feed := testPipe(t)
	drain, out := testPipe(t)
	raw := passStream(t, 4096, 4096, 4096)
	go func() { _, _ = feed.Write(raw) }()
	r, w := NewReader(in), NewWriter(out)
	p, err := NewPasser(r, w)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // header and tables
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	_ = drain.Close()
	_, err = p.Batch()
	var upstream *Error
	if !errors.Is(err, unix.EPIPE) || errors.As(err, &upstream) {
		t.Errorf("error %v, want a broken pipe of the writer's", err)
	}
}
