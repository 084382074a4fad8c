// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot/plotter"
)

// curve is one process's memory over time.
type curve struct {
	collection string
	pid        int64
	name       string
	peak       float64
	points     plotter.XYs // seconds since the collection's first event shown, bytes
}

// plotEvents is the number of events up to which a plot shows each one's
// memory. Above, three windows to a step of time are asked for: seconds
// instead of minutes.
const plotEvents = 1 << 20

// sample sets the summary's window where there are too many events to draw,
// and tells whether it did.
func (d *DB) sample(ctx context.Context) (bool, error) {
	var events, span int64
	var isSet bool
	if err := d.conn.QueryRowContext(ctx, "SELECT count(*), coalesce(max(ts_ns) - min(ts_ns), 0), getvariable('window_ns') IS NOT NULL FROM mm_rss_stat").
		Scan(&events, &span, &isSet); err != nil {
		return false, fmt.Errorf("count events: %w", err)
	}
	if isSet || events <= plotEvents {
		return false, nil
	}
	return true, d.exec(ctx, fmt.Sprintf("SET VARIABLE window_ns = %d", max(1, span/(3*plotBins))))
}

// curves asks q and thins each process's steps to what a plot can show. A
// process that was not seen to end goes on to the collection's last row.
func (d *DB) curves(ctx context.Context, q Query) ([]*curve, error) {
	sampled, err := d.sample(ctx)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE plotted AS
SELECT collection_id, pid, name, ts_ns - min(ts_ns) OVER (PARTITION BY collection_id) AS ns, total_bytes
FROM (
%s
) WHERE total_bytes IS NOT NULL`, strings.TrimRight(strings.TrimSpace(q.text), ";"))
	if err := d.exec(ctx, text); err != nil {
		return nil, err
	}
	if sampled { // for this picture only
		if err := d.exec(ctx, "RESET VARIABLE window_ns"); err != nil {
			return nil, err
		}
	}
	rows, err := d.conn.QueryContext(ctx, fmt.Sprintf(`WITH last AS (SELECT max(ns) AS ns FROM plotted)
SELECT collection_id, pid, coalesce(any_value(name), ''), min(plotted.ns) / 1e9, max(plotted.ns) / 1e9,
       min(total_bytes)::DOUBLE, max(total_bytes)::DOUBLE,
       arg_min(total_bytes, plotted.ns)::DOUBLE, arg_max(total_bytes, plotted.ns)::DOUBLE
FROM plotted, last
GROUP BY collection_id, pid, plotted.ns * %d // greatest(last.ns, 1)
ORDER BY collection_id, pid, 4`, plotBins))
	if err != nil {
		return nil, fmt.Errorf("plot rss: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []*curve
	ends := map[string]float64{}
	for rows.Next() {
		var c curve
		var from, to, low, high, first, last float64
		if err := rows.Scan(&c.collection, &c.pid, &c.name, &from, &to, &low, &high, &first, &last); err != nil {
			return nil, fmt.Errorf("plot rss: %w", err)
		}
		if n := len(list); n == 0 || list[n-1].pid != c.pid || list[n-1].collection != c.collection {
			list = append(list, &c)
		}
		list[len(list)-1].add(from, to, low, high, first, last)
		ends[c.collection] = math.Max(ends[c.collection], to)
	}
	for _, c := range list {
		if end := c.points[len(c.points)-1]; end.Y > 0 {
			c.points = append(c.points, plotter.XY{X: ends[c.collection], Y: end.Y})
		}
	}
	return list, rows.Err()
}

// add appends one bin: what stood at its ends, and its extremes between.
func (c *curve) add(from, to, low, high, first, last float64) {
	c.peak = math.Max(c.peak, high)
	middle := from + (to-from)/2
	for _, at := range []plotter.XY{{X: from, Y: first}, {X: middle, Y: low}, {X: middle, Y: high}, {X: to, Y: last}} {
		if n := len(c.points); n == 0 || c.points[n-1] != at {
			c.points = append(c.points, at)
		}
	}
}
