// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"strconv"

	"github.com/kermit-trace/kermit/bench/workload"
	"go.yaml.in/yaml/v3"
)

// param is the value of a workload's parameter, as text.
func (r *reader) param(n *yaml.Node, p *workload.Param) (string, error) {
	text, err := r.paramText(n, p)
	if err != nil {
		return "", err
	}
	if _, err := p.Parse(text); err != nil {
		return "", r.wrong(n, err)
	}
	return text, nil
}

func (r *reader) paramText(n *yaml.Node, p *workload.Param) (string, error) {
	if isNull(n) && p.DefaultText() == "" {
		return "", nil
	}
	switch p.Type {
	case "int", "port":
		var v int64
		if !is(n, "!!int") || n.Decode(&v) != nil {
			return "", r.not(n, "a whole number")
		}
		return strconv.FormatInt(v, 10), nil
	case "float":
		var v float64
		if !is(n, "!!int", "!!float") || n.Decode(&v) != nil {
			return "", r.not(n, "a number")
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case "bool":
		v, err := r.flag(n)
		return strconv.FormatBool(v), err
	case "duration":
		d, err := r.duration(n)
		return d.String(), err
	}
	if p.Type == "text" && is(n, "!!int", "!!float") {
		return n.Value, nil // KernMLOps writes both "0" and 0
	}
	return r.text(n)
}
