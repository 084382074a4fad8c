// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds how deep the arrays and maps of a frame nest. A table with
// labels needs 6: frame, table, columns, column, labels, pair.
const maxDepth = 16

// maxValues bounds the values of a frame, so that what a reader builds from
// many small ones stays within MaxFrame too.
const maxValues = 1 << 17

// maxRaw is the length in bytes of the longest frame: MaxFrame of bin and str,
// and a head of at most 9 bytes for each value.
const maxRaw = MaxFrame + 9*(maxValues+1)

var (
	errTooLarge = errors.New("frame is larger than 16 MiB")
	errTooMany  = errors.New("frame has more than 131,072 values")
	errTooDeep  = errors.New("frame nests too deep")
	errNoFrame  = errors.New("frame is not an array")
	errText     = errors.New("text is not UTF-8")
)

// scanner finds the end of a frame and checks its limits, before anything is
// allocated for it. It goes on where it stood when more of the frame has
// arrived, so a frame that comes byte by byte is scanned once.
type scanner struct {
	open    [maxDepth + 1]int // values still due at each depth; the frame itself at 0
	depth   int
	at      int // bytes scanned: the frame's length, in the end
	payload int // bytes of bin and str so far
	values  int // values so far, the frame itself not counted
	bins    int // bins so far
}

func newScanner() scanner {
	s := scanner{}
	s.open[0] = 1
	return s
}

// scan takes b, the frame from its first byte on, as far as it is there. It
// returns 0 when the whole frame is, else how many bytes are due at the least.
func (s *scanner) scan(b []byte) (need int, err error) {
	for {
		for s.open[s.depth] == 0 {
			if s.depth == 0 {
				return 0, nil
			}
			s.depth--
		}
		if s.at >= len(b) {
			return s.at + 1, nil
		}
		t, err := tokenAt(b[s.at:])
		if err == nil {
			err = s.limits(t)
		}
		switch {
		case err != nil && s.at == 0:
			return 0, err
		case err != nil:
			return 0, fmt.Errorf("%w at byte %d of the frame", err, s.at)
		}
		if end := s.at + t.head + t.body; end > len(b) {
			return end, nil
		}
		if t.kind == str && !utf8.Valid(b[s.at+t.head:s.at+t.head+t.body]) {
			return 0, fmt.Errorf("%w at byte %d of the frame", errText, s.at)
		}
		s.pass(t)
	}
}

// limits tells whether the frame stays in bounds with t.
func (s *scanner) limits(t token) error {
	switch {
	case s.at == 0 && t.kind != array:
		return errNoFrame
	case t.body > MaxFrame-s.payload:
		return errTooLarge
	case t.children > maxValues-s.values:
		return errTooMany
	case t.kind >= array && s.depth == maxDepth:
		return errTooDeep
	}
	return nil
}

func (s *scanner) pass(t token) {
	s.at += t.head + t.body
	s.payload += t.body
	s.values += t.children
	if t.kind == bin {
		s.bins++
	}
	s.open[s.depth]--
	if t.children > 0 {
		s.depth++
		s.open[s.depth] = t.children
	}
}

// valueKind is the kind of a msgpack value, as far as it matters here.
type valueKind uint8

const (
	scalar valueKind = iota // nil, bool, number
	str
	bin
	array
	mapping
)

// token is the head of a msgpack value.
type token struct {
	kind     valueKind
	head     int // bytes of the head; of the whole value for a scalar
	body     int // bytes of text or data behind the head
	children int // values that follow inside the value
}

// tokenAt describes the value at the start of b, which is not empty. When b ends
// within the head, only the kind and the length of the head are told.
func tokenAt(b []byte) (token, error) {
	c := b[0]
	switch {
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3: // fixint, nil, bool
		return token{head: 1}, nil
	case c <= 0x8f:
		return token{kind: mapping, head: 1, children: 2 * int(c&0x0f)}, nil
	case c <= 0x9f:
		return token{kind: array, head: 1, children: int(c & 0x0f)}, nil
	case c <= 0xbf:
		return token{kind: str, head: 1, body: int(c & 0x1f)}, nil
	case c <= 0xc1, c >= 0xc7 && c <= 0xc9, c >= 0xd4 && c <= 0xd8: // never used; ext
		return token{}, fmt.Errorf("byte 0x%02x starts no value of this format", c)
	case c <= 0xc6:
		return sized(bin, b, 1<<(c-0xc4)), nil
	case c <= 0xcb: // float32, float64
		return token{head: 1 + 4<<(c-0xca)}, nil
	case c <= 0xcf: // uint8 … uint64
		return token{head: 1 + 1<<(c-0xcc)}, nil
	case c <= 0xd3: // int8 … int64
		return token{head: 1 + 1<<(c-0xd0)}, nil
	case c <= 0xdb:
		return sized(str, b, 1<<(c-0xd9)), nil
	case c <= 0xdd:
		return sized(array, b, 2<<(c-0xdc)), nil
	}
	return sized(mapping, b, 2<<(c-0xde)), nil
}

// sized is a token whose length stands in width bytes behind the first.
func sized(kind valueKind, b []byte, width int) token {
	t := token{kind: kind, head: 1 + width}
	if len(b) < t.head {
		return t
	}
	n := int(min(bigEndian(b[1:t.head]), MaxFrame+1)) // what is beyond every limit need not be exact
	switch kind {
	case array:
		t.children = n
	case mapping:
		t.children = 2 * n
	default:
		t.body = n
	}
	return t
}

func bigEndian(b []byte) (n uint64) {
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}
