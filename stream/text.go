// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text returns s as UTF-8: each byte that is not becomes \xNN. The kernel cuts
// a task's name at 15 bytes, in the middle of a character if need be.
func Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
