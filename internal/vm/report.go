// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// report prints the table of all kernels, and under it in full what is not
// plain agreement.
func report(w io.Writer, results []result) {
	var rows []string
	cells := map[string]map[string]string{}
	for _, r := range results {
		for _, c := range r.cells {
			row := c[0] + "\t" + c[1]
			if cells[row] == nil {
				cells[row] = map[string]string{}
				rows = append(rows, row)
			}
			cells[row][r.kernel] = c[2]
		}
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprint(t, "hook\tsource")
	for _, r := range results {
		fmt.Fprintf(t, "\t%s", r.release)
	}
	fmt.Fprintln(t)
	var notes []string
	number := map[string]int{}
	for _, row := range rows {
		fmt.Fprint(t, row)
		for _, r := range results {
			short, note, _ := strings.Cut(cells[row][r.kernel], " | ")
			if kind, why, ok := strings.Cut(short, ": "); ok {
				short, note = kind, why
			}
			if note != "" {
				if number[note] == 0 {
					notes = append(notes, note)
					number[note] = len(notes)
				}
				short += fmt.Sprintf(" [%d]", number[note])
			}
			fmt.Fprintf(t, "\t%s", short)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	for i, note := range notes {
		fmt.Fprintf(w, "[%d] %s\n", i+1, note)
	}
	for _, r := range results {
		fmt.Fprintf(w, "%s took %.0f s\n", r.kernel, r.took.Seconds())
	}
}
