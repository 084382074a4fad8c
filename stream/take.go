// SPDX-License-Identifier: Apache-2.0

package stream

import "math"

// The functions here take one value off the start of b and return what follows
// it. They rely on a scanner: b holds whole values within the limits.

// takeArray takes the head of an array of n values.
func takeArray(b []byte) (n int, rest []byte, ok bool) {
	t, ok := take(b, array)
	if !ok {
		return 0, nil, false
	}
	return t.children, b[t.head:], true
}

// takeBytes takes a str or a bin. It shares memory with b.
func takeBytes(b []byte, kind valueKind) (data, rest []byte, ok bool) {
	t, ok := take(b, kind)
	if !ok {
		return nil, nil, false
	}
	return b[t.head : t.head+t.body], b[t.head+t.body:], true
}

// takeNumber takes an integer from 0 to 2^63-1, of any width.
func takeNumber(b []byte) (n int64, rest []byte, ok bool) {
	t, ok := take(b, scalar)
	if !ok {
		return 0, nil, false
	}
	c, rest := b[0], b[t.head:]
	switch {
	case c <= 0x7f:
		return int64(c), rest, true
	case c >= 0xcc && c <= 0xd3:
		n := bigEndian(b[1:t.head])
		// A signed one is negative when its first bit is set.
		if n > math.MaxInt64 || c >= 0xd0 && b[1] > 0x7f {
			return 0, nil, false
		}
		return int64(n), rest, true
	}
	return 0, nil, false
}

func take(b []byte, kind valueKind) (token, bool) {
	if len(b) == 0 {
		return token{}, false
	}
	t, err := tokenAt(b)
	return t, err == nil && t.kind == kind && t.head+t.body <= len(b)
}
