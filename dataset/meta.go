// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/parquet-go/parquet-go/format"

	"github.com/kermit-trace/kermit/stream"
)

// Meta is what the footer of a table's last file says about the table.
type Meta struct {
	Doc          string            // what one row is
	Columns      map[string]string // column -> doc
	Order        []string          // columns as the stream declared them
	Source       string            // how the table was filled
	Unobservable []string          // columns or facts that the source cannot see
	Attrs        map[string]string // facts about all rows
	Header       *stream.Header    // of the stream, without the secret to stop it
	Counters     *Counters         // the last known; nil for a table that no probe fills
	Complete     bool              // the stream's end frame was seen
	Tool         string            // name and version of the writer
	Config       string            // the run's configuration (YAML), "" where there was none
}

// Counters of a probed table: the last row about it in hook_stats.
type Counters struct {
	Seen      int64 `json:"seen"`
	Filtered  int64 `json:"filtered"`
	Emitted   int64 `json:"emitted"`
	LostRing  int64 `json:"lost_ring"`
	LostOther int64 `json:"lost_other"`
	Missed    int64 `json:"missed"`
	Rows      int64 `json:"rows"`
	Final     bool  `json:"final"` // counted after the last row; false where a stream was cut
}

// Lost is the number of rows that were due and are not there.
func (c *Counters) Lost() int64 { return c.LostRing + c.LostOther }

// Balanced tells whether every row that was due is accounted for.
func (c *Counters) Balanced() bool { return c.Seen == c.Filtered+c.Emitted+c.LostRing+c.LostOther }

// Keys of the metadata in a Parquet footer.
const (
	keyDoc          = "kermit.doc"
	keyColumns      = "kermit.columns"
	keyOrder        = "kermit.order"
	keySource       = "kermit.source"
	keyUnobservable = "kermit.unobservable"
	keyAttrs        = "kermit.attrs"
	keyHeader       = "kermit.header"
	keyCounters     = "kermit.counters"
	keyComplete     = "kermit.complete"
	keyTool         = "kermit.tool"
	keyConfig       = "kermit.config"
)

// Meta reads what the table's last file says about it.
func (c *Collection) Meta(table string) (*Meta, error) {
	files := c.Tables[table]
	if len(files) == 0 {
		return nil, fmt.Errorf("read metadata: collection %s has no table %s", c.ID, table)
	}
	name := files[len(files)-1]
	footer, err := readFooter(name)
	if err != nil {
		return nil, err
	}
	m, err := parseMeta(footer.KeyValueMetadata)
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", name, err)
	}
	return m, nil
}

// pairs are the metadata as a footer holds them.
func (m *Meta) pairs() []format.KeyValue {
	texts := []format.KeyValue{
		{Key: keyDoc, Value: m.Doc}, {Key: keySource, Value: m.Source},
		{Key: keyComplete, Value: strconv.FormatBool(m.Complete)}, {Key: keyTool, Value: m.Tool},
	}
	if m.Config != "" {
		texts = append(texts, format.KeyValue{Key: keyConfig, Value: m.Config})
	}
	add := func(key string, value any) {
		b, err := json.Marshal(value)
		if err != nil {
			panic("dataset: " + err.Error()) // maps of text, integers: always marshals
		}
		texts = append(texts, format.KeyValue{Key: key, Value: string(b)})
	}
	add(keyColumns, m.Columns)
	add(keyOrder, m.Order)
	add(keyUnobservable, m.Unobservable)
	add(keyAttrs, m.Attrs)
	add(keyHeader, m.Header)
	if m.Counters != nil {
		add(keyCounters, m.Counters)
	}
	return texts
}

// parseMeta is the inverse of pairs. Keys it does not know are ignored.
func parseMeta(pairs []format.KeyValue) (*Meta, error) {
	m := &Meta{}
	for _, p := range pairs {
		var err error
		switch p.Key {
		case keyDoc:
			m.Doc = p.Value
		case keySource:
			m.Source = p.Value
		case keyTool:
			m.Tool = p.Value
		case keyConfig:
			m.Config = p.Value
		case keyComplete:
			m.Complete = p.Value == "true"
		case keyColumns:
			err = json.Unmarshal([]byte(p.Value), &m.Columns)
		case keyOrder:
			err = json.Unmarshal([]byte(p.Value), &m.Order)
		case keyUnobservable:
			err = json.Unmarshal([]byte(p.Value), &m.Unobservable)
		case keyAttrs:
			err = json.Unmarshal([]byte(p.Value), &m.Attrs)
		case keyHeader:
			err = json.Unmarshal([]byte(p.Value), &m.Header)
		case keyCounters:
			err = json.Unmarshal([]byte(p.Value), &m.Counters)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Key, err)
		}
	}
	if m.Tool == "" {
		return nil, fmt.Errorf("not written by kparquet: no %s", keyTool)
	}
	return m, nil
}
