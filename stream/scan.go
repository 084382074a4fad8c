// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"errors"
	"fmt"
)

// maxDepth bounds how deep the arrays and maps of a frame nest. A batch needs
// 4: frame, columns, column, texts.
const maxDepth = 16

// maxValues bounds the values of a frame, so that what a reader builds from
// many small ones stays within MaxFrame too.
const maxValues = 1 << 17

// needMore says how many bytes a frame has at the least, when what is there
// is too short to tell its end.
type needMore int

func (n needMore) Error() string { return fmt.Sprintf("%d bytes at the least", int(n)) }

var (
	errTooLarge = errors.New("frame is larger than 16 MiB")
	errTooMany  = errors.New("frame has more than 131,072 values")
)

// scan returns the length in bytes of the msgpack value at the start of b, or
// needMore. It reads lengths only and allocates nothing.
func scan(b []byte) (int, error) {
	var (
		open    [maxDepth]int // values still due at each depth
		depth   int
		at      int
		payload int
		values  int
	)
	open[0] = 1
	for {
		for open[depth] == 0 {
			if depth == 0 {
				return at, nil
			}
			depth--
		}
		open[depth]--
		if at >= len(b) {
			return 0, needMore(at + 1)
		}
		head, body, children, err := token(b[at:])
		if err != nil {
			if n, short := err.(needMore); short {
				return 0, needMore(at + int(n))
			}
			return 0, fmt.Errorf("%w at byte %d of the frame", err, at)
		}
		payload += body
		if payload > MaxFrame {
			return 0, errTooLarge
		}
		if values += children; values > maxValues {
			return 0, errTooMany
		}
		at += head + body
		if at > len(b) {
			return 0, needMore(at)
		}
		if children > 0 {
			if depth++; depth == maxDepth {
				return 0, errors.New("frame nests too deep")
			}
			open[depth] = children
		}
	}
}

// token describes the msgpack value at the start of b: the bytes of its head,
// the bytes of its body, and the number of values that follow inside it.
func token(b []byte) (head, body, children int, err error) {
	c := b[0]
	switch {
	case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3: // fixint, nil, bool
		return 1, 0, 0, nil
	case c <= 0x8f: // fixmap
		return 1, 0, 2 * int(c&0x0f), nil
	case c <= 0x9f: // fixarray
		return 1, 0, int(c & 0x0f), nil
	case c <= 0xbf: // fixstr
		return 1, int(c & 0x1f), 0, nil
	case c >= 0xca && c <= 0xd3: // float32, float64, uint8…uint64, int8…int64
		return 1, [...]int{4, 8, 1, 2, 4, 8, 1, 2, 4, 8}[c-0xca], 0, nil
	}
	width := map[byte]int{
		0xc4: 1, 0xc5: 2, 0xc6: 4, // bin
		0xd9: 1, 0xda: 2, 0xdb: 4, // str
		0xdc: 2, 0xdd: 4, // array
		0xde: 2, 0xdf: 4, // map
	}[c]
	if width == 0 { // ext, or the byte msgpack never uses
		return 0, 0, 0, fmt.Errorf("byte 0x%02x starts no value of this format", c)
	}
	if len(b) < 1+width {
		return 0, 0, 0, needMore(1 + width)
	}
	n := 0
	for _, x := range b[1 : 1+width] {
		n = n<<8 | int(x)
	}
	switch {
	case c <= 0xc6 || c == 0xd9 || c == 0xda || c == 0xdb:
		return 1 + width, n, 0, nil
	case c >= 0xde:
		return 1 + width, 0, 2 * n, nil
	}
	return 1 + width, 0, n, nil
}
