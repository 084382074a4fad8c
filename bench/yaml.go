// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

var yamlLine = regexp.MustCompile(`^line (\d+): (?s:(.*))$`)

// BrokenYAML returns what the YAML package says of a text that is no YAML, and
// of which of its lines, from 1. (The package's parser, not its scanner, counts
// lines from 0.)
func BrokenYAML(err error, data []byte) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	m := yamlLine.FindStringSubmatch(text)
	if m == nil {
		return 1, text
	}
	line, _ = strconv.Atoi(m[1]) // digits
	if strings.HasPrefix(m[2], "did not find expected ") {
		line++
	}
	return min(line, 1+bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))), m[2] // not behind the end
}
