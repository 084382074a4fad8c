// SPDX-License-Identifier: Apache-2.0

package query

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/duckdb/duckdb-go/v2"
)

// null is how people see NULL.
const null = "-"

// style is how a column's values are shown to people.
type style struct {
	right  bool               // numbers
	cut    bool               // may be cut to fit a terminal
	number func(int64) string // integers; nil: as they are
	unit   string             // suffix of the name that the cells make superfluous
}

// styleOf goes by the unit that a column's name ends with, and else groups
// digits, but not those of what is a name rather than a number.
func styleOf(name, kind string) style {
	isNumber := strings.HasSuffix(kind, "INT") || strings.HasSuffix(kind, "INTEGER") || kind == "DOUBLE" || kind == "FLOAT" || strings.HasPrefix(kind, "DECIMAL")
	if !isNumber {
		return style{cut: !strings.HasPrefix(kind, "TIMESTAMP") && kind != "BOOLEAN"}
	}
	words := strings.Split(strings.ToLower(name), "_")
	last := words[len(words)-1]
	s := style{right: true, number: groupDigits}
	switch {
	case isInstant(words) || slices.Contains(identifiers, last):
		s.number = nil
	case last == "ns":
		s.number, s.unit = duration, "_ns"
	case last == "us":
		s.number, s.unit = func(n int64) string { return duration(n * 1000) }, "_us"
	case last == "bytes":
		s.number, s.unit = size, "_bytes"
	}
	return s
}

// identifiers are last words of columns whose numbers are names.
var identifiers = []string{"pid", "tgid", "ppid", "uid", "gid", "id", "cpu", "port", "sport", "dport", "code", "signal", "type", "reason", "address", "flags", "packet", "inode", "sector", "timestamp"}

// isInstant tells a point in time, which no unit makes readable, from a span.
func isInstant(words []string) bool {
	if len(words) < 2 {
		return false
	}
	for _, w := range words[:len(words)-1] {
		switch w {
		case "ts", "start", "end", "since", "until", "unix", "established":
			return true
		}
	}
	return false
}

// text of a value, for people.
func (s style) text(value any) string {
	switch v := value.(type) {
	case nil:
		return null
	case bool:
		return strconv.FormatBool(v)
	case string:
		return printable(v)
	case float32:
		return s.float(float64(v))
	case float64:
		return s.float(v)
	case duckdb.Decimal:
		return v.String()
	case *big.Int:
		if v.IsInt64() {
			return s.integer(v.Int64())
		}
		return v.String()
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05.000000")
	case []byte:
		return fmt.Sprintf("%x", v)
	case []any:
		return s.list(v)
	case duckdb.OrderedMap:
		return counts(v.Keys(), v.Values())
	case map[string]any:
		return printable(fmt.Sprint(v))
	}
	if n, ok := asInteger(value); ok {
		return s.integer(n)
	}
	return printable(fmt.Sprint(value))
}

func (s style) integer(n int64) string {
	if s.number == nil {
		return strconv.FormatInt(n, 10)
	}
	return s.number(n)
}

func (s style) float(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return s.integer(int64(f))
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}

func (s style) list(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = s.text(v)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// counts shows a map with its greatest numbers first: "a 1,200, b 3".
func counts(keys, values []any) string {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		m, _ := asInteger(values[a])
		n, _ := asInteger(values[b])
		return cmp.Compare(n, m)
	})
	texts := make([]string, len(keys))
	for i, at := range order {
		texts[i] = style{}.text(keys[at]) + " " + style{number: groupDigits}.text(values[at])
	}
	return strings.Join(texts, ", ")
}

func asInteger(value any) (int64, bool) {
	switch v := value.(type) {
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v), true
		}
	}
	return 0, false
}

// printable keeps a process's name or arguments from speaking to the terminal.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), `\\`, `\`)
}

// groupDigits writes 1234567 as 1,234,567.
func groupDigits(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// duration of n nanoseconds to three digits: 1.23 s, 45.6 ms, 7 µs; from a
// minute on 2m 3.4s, from an hour on 1h 2m 3s.
func duration(n int64) string {
	if n < 0 {
		return "-" + duration(-n)
	}
	d := time.Duration(n)
	if d >= time.Hour {
		return fmt.Sprintf("%dh %dm %ds", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
	}
	if d >= time.Minute {
		return fmt.Sprintf("%dm %.1fs", int(d.Minutes()), (d % time.Minute).Truncate(100*time.Millisecond).Seconds())
	}
	f, unit := float64(n), -1
	for f >= 999.5 && unit < 2 {
		f, unit = f/1000, unit+1
	}
	if unit >= 0 {
		return threeDigits(f) + " " + [...]string{"µs", "ms", "s"}[unit]
	}
	return strconv.FormatInt(n, 10) + " ns"
}

// size of n bytes to three digits: 203 MiB.
func size(n int64) string {
	if n < 0 {
		return "-" + size(-n)
	}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), -1
	for f >= 1023.5 && unit < 5 {
		f, unit = f/1024, unit+1
	}
	return threeDigits(f) + " " + string("KMGTPE"[unit]) + "iB"
}

func threeDigits(f float64) string {
	switch {
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}
