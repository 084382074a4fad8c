// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"encoding/binary"
	"math"

	"github.com/kermit-trace/kermit/stream"
)

// gatherInts returns column c as 64-bit integers, in the order of the segments.
func (e *encoder) gatherInts(c int) []int64 {
	t := e.batches[0].Table.Columns[c].Type
	w, widen := t.Width(), widener(t)
	out := e.ints[:0]
	for _, s := range e.segments {
		out = widen(out, e.batches[s.batch].Columns[c].Data[int(s.at)*w:int(s.at+s.n)*w])
	}
	e.ints = out
	return out
}

// widener returns the function that appends values of the type as 64-bit
// integers. One loop for each type: here and in the encoders goes the time of
// a row.
func widener(t stream.Type) func(out []int64, data []byte) []int64 {
	switch t {
	case stream.Bool, stream.U8:
		return func(out []int64, data []byte) []int64 {
			for _, b := range data {
				out = append(out, int64(b))
			}
			return out
		}
	case stream.I8:
		return func(out []int64, data []byte) []int64 {
			for _, b := range data {
				out = append(out, int64(int8(b)))
			}
			return out
		}
	case stream.U16:
		return func(out []int64, data []byte) []int64 {
			for ; len(data) >= 2; data = data[2:] {
				out = append(out, int64(binary.LittleEndian.Uint16(data)))
			}
			return out
		}
	case stream.I16:
		return func(out []int64, data []byte) []int64 {
			for ; len(data) >= 2; data = data[2:] {
				out = append(out, int64(int16(binary.LittleEndian.Uint16(data))))
			}
			return out
		}
	case stream.U32:
		return func(out []int64, data []byte) []int64 {
			for ; len(data) >= 4; data = data[4:] {
				out = append(out, int64(binary.LittleEndian.Uint32(data)))
			}
			return out
		}
	case stream.I32:
		return func(out []int64, data []byte) []int64 {
			for ; len(data) >= 4; data = data[4:] {
				out = append(out, int64(int32(binary.LittleEndian.Uint32(data))))
			}
			return out
		}
	}
	return func(out []int64, data []byte) []int64 {
		for ; len(data) >= 8; data = data[8:] {
			out = append(out, int64(binary.LittleEndian.Uint64(data)))
		}
		return out
	}
}

// gatherRaw returns column c as it came, in the order of the segments.
func (e *encoder) gatherRaw(c int) []byte {
	w := e.batches[0].Table.Columns[c].Type.Width()
	out := e.raw[:0]
	for _, s := range e.segments {
		out = append(out, e.batches[s.batch].Columns[c].Data[int(s.at)*w:int(s.at+s.n)*w]...)
	}
	e.raw = out
	return out
}

// gatherTexts returns a column of texts as indexes into one dictionary, in the
// order of the segments.
func (e *encoder) gatherTexts(c int) (index []int32, dict []string) {
	number := map[string]int32{}
	remap := make([][]int32, len(e.batches))
	for i, b := range e.batches {
		words := b.Columns[c].Dict
		to := make([]int32, len(words))
		for j, s := range words {
			n, ok := number[s]
			if !ok {
				n = int32(len(dict))
				number[s] = n
				dict = append(dict, s)
			}
			to[j] = n
		}
		remap[i] = to
	}
	index = e.index[:0]
	for _, s := range e.segments {
		to := remap[s.batch]
		if len(to) == 1 {
			index = appendConst(index, to[0], s.n)
			continue
		}
		data := e.batches[s.batch].Columns[c].Data[4*int(s.at) : 4*int(s.at+s.n)]
		for ; len(data) >= 4; data = data[4:] {
			index = append(index, to[binary.LittleEndian.Uint32(data)])
		}
	}
	e.index = index
	return index, dict
}

func appendConst(index []int32, n, count int32) []int32 {
	for range count {
		index = append(index, n)
	}
	return index
}

// bits packs bytes that are 0 or 1, eight to a byte, the first in the lowest bit.
func bits(out, flags []byte) []byte {
	const spread = 0x0102040810204080 // moves bit 0 of byte i to bit 56+i
	for ; len(flags) >= 8; flags = flags[8:] {
		out = append(out, byte(binary.LittleEndian.Uint64(flags)*spread>>56))
	}
	if len(flags) > 0 {
		var last byte
		for i, f := range flags {
			last |= f << i
		}
		out = append(out, last)
	}
	return out
}

// bounds of the numbers.
func bounds(ints []int64) (low, high int64) {
	low, high = math.MaxInt64, math.MinInt64
	for _, v := range ints {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}
