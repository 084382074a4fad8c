// SPDX-License-Identifier: Apache-2.0

package stream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
)

// WriteJSON writes the batch as JSON lines, one a row: {"table":…, column:…}
// in the order of the columns.
func (b *Batch) WriteJSON(w io.Writer) error {
	out := bufio.NewWriter(w)
	keys := make([][]byte, len(b.Columns))
	for i, c := range b.Table.Columns {
		keys[i] = append(append([]byte{','}, quote(c.Name)...), ':')
	}
	open := append([]byte(`{"table":`), quote(b.Table.Name)...)
	var scratch []byte
	for row := range b.Rows {
		scratch = append(scratch[:0], open...)
		for i := range b.Columns {
			scratch = append(scratch, keys[i]...)
			scratch = appendJSON(scratch, b.Columns[i].Value(row))
		}
		if _, err := out.Write(append(scratch, '}', '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}

func appendJSON(dst []byte, value any) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "null"...)
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case string:
		return append(dst, quote(v)...)
	}
	return append(dst, "null"...)
}

// quote is s as JSON. Command lines are full of & and >, which stay as they are.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
