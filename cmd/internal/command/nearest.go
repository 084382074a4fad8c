// SPDX-License-Identifier: Apache-2.0

package command

import "strings"

// Nearest returns the name that a user most likely meant, or "".
func Nearest(word string, names []string) string {
	best, near := min(3, 1+len(word)/2), "" // farther than two edits, or half of it, is another word
	for _, n := range names {
		if d := distance(word, n); d < best {
			best, near = d, n
		}
	}
	if near != "" || len(word) < 3 {
		return near
	}
	for _, n := range names {
		if strings.Contains(n, word) {
			return n
		}
	}
	return ""
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
