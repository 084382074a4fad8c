// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// number of a time: digits, with a fraction or without.
const number = `([0-9]+(?:\.[0-9]*)?|\.[0-9]+)`

var (
	timeUnit = regexp.MustCompile(`^` + number + `\s*([a-z]+)[\s,]*`)
	timeForm = regexp.MustCompile(`^` + number + `$`)
	clock    = regexp.MustCompile(`^(?:(?:([0-9]+):)?([0-9]+):)?([0-9]+):([0-9]{2}(?:\.[0-9]+)?)$`)
)

var units = map[string]time.Duration{
	"w": week, "wk": week, "wks": week, "week": week, "weeks": week,
	"d": day, "dy": day, "dys": day, "day": day, "days": day,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// mostTime bounds a time: what is longer is a slip, and does not overflow.
const mostTime = 100 * 365 * day

// parseTime reads a time as pytimeparse does: seconds, units of falling size, or
// a clock.
func parseTime(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a time such as 90, 1m30s, 1 hour, 30 min or 1:30", text)
	rest := strings.ToLower(strings.TrimSpace(text))
	var total float64 // ns
	add := func(digits string, unit time.Duration) {
		v, _ := strconv.ParseFloat(digits, 64) // the expressions let only numbers through; too large is infinite
		total += v * float64(unit)
	}
	switch m := clock.FindStringSubmatch(rest); {
	case m != nil:
		for i, unit := range []time.Duration{day, time.Hour, time.Minute, time.Second} {
			if m[i+1] != "" {
				add(m[i+1], unit)
			}
		}
	case timeForm.MatchString(rest):
		add(rest, time.Second)
	default:
		for last := mostTime; rest != ""; {
			m := timeUnit.FindStringSubmatch(rest)
			if m == nil || units[m[2]] == 0 || units[m[2]] >= last {
				return 0, bad
			}
			last = units[m[2]]
			add(m[1], last)
			rest = rest[len(m[0]):]
		}
	}
	if text == "" || total > float64(mostTime) {
		return 0, bad
	}
	return time.Duration(total), nil
}
