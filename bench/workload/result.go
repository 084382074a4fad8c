// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"

	"github.com/kermit-trace/kermit/bench"
	"github.com/tidwall/gjson"
)

func (m *Measure) check() error {
	switch {
	case m.Metric == "":
		return errors.New("metric is missing")
	case (m.JSON == "") == (m.Pattern == ""):
		return fmt.Errorf("%s: needs one of json and pattern", m.Metric)
	case m.JSON != "" && m.Value != "":
		return fmt.Errorf("%s: value belongs to pattern", m.Metric)
	}
	if _, err := regexp.Compile(multiline + m.Pattern); err != nil {
		return fmt.Errorf("%s: %w", m.Metric, err)
	}
	return nil
}

// thousands are commas that part the digits of a number: 1,234,567.
var thousands = regexp.MustCompile(`(\d),`)

// read finds the figures in a phase's output.
func (m *Measure) read(output []byte) ([]bench.Result, error) {
	if m.JSON != "" {
		v := gjson.GetBytes(output, m.JSON)
		switch {
		case !gjson.ValidBytes(output):
			return nil, fmt.Errorf("result %s: the output is not JSON", m.Metric)
		case v.Type == gjson.Number:
			return []bench.Result{{Metric: m.Metric, Value: v.Num, Unit: m.Unit}}, nil
		case m.Optional:
			return nil, nil
		}
		return nil, fmt.Errorf("result %s: no number at %s of the output", m.Metric, m.JSON)
	}
	re := regexp.MustCompile(multiline + m.Pattern)
	value := m.Value
	if value == "" {
		value = "$1"
	}
	var rows []bench.Result
	for _, match := range re.FindAllSubmatchIndex(output, -1) {
		expand := func(template string) string { return string(re.Expand(nil, []byte(template), output, match)) }
		number, err := strconv.ParseFloat(thousands.ReplaceAllString(expand(value), "$1"), 64)
		if err != nil {
			return nil, fmt.Errorf("result %s: %q in the output is not a number", m.Metric, expand(value))
		}
		rows = append(rows, bench.Result{Metric: expand(m.Metric), Value: number, Unit: expand(m.Unit)})
	}
	if len(rows) == 0 && !m.Optional {
		return nil, fmt.Errorf("result %s: nothing in the output matches %s", m.Metric, m.Pattern)
	}
	return rows, nil
}

// mostOutput is how much of a phase's output is kept to look for results: far
// more than any program's summary.
const mostOutput = 16 << 20

// capture keeps the last of what a program prints.
type capture struct {
	mu   sync.Mutex
	data []byte
	most int
}

func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = append(c.data, p...)
	if len(c.data) > 2*c.most {
		c.data = append([]byte(nil), c.data[len(c.data)-c.most:]...)
	}
	return len(p), nil
}

func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data[max(0, len(c.data)-c.most):]
}

// end is the last n bytes.
func (c *capture) end(n int) []byte {
	data := c.bytes()
	return data[max(0, len(data)-n):]
}
