// SPDX-License-Identifier: Apache-2.0

package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	plotWidth  = 24 * vg.Centimeter
	plotHeight = 13 * vg.Centimeter
	// plotBins is the number of steps of time that a plot can show: finer ones
	// fall on one pixel, and are drawn as the lowest and highest value in it.
	plotBins = 1600
	// plotLegend is the number of lines that have a colour and a name of their
	// own. Where there are more, processes of one name share one.
	plotLegend = 8
)

// palette is Okabe and Ito's, which the colour-blind can tell apart, and gray
// for the rest.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	color.RGBA{0x00, 0x00, 0x00, 0xff}, color.RGBA{0xb5, 0xa6, 0x00, 0xff},
}

var gray = color.RGBA{0xb0, 0xb0, 0xb0, 0xff}

// PlotRSS draws the answer of the summary rss: one line a process, all
// collections from a common zero. format is "png" or "svg".
func (d *DB) PlotRSS(ctx context.Context, q Query, to io.Writer, format string) error {
	curves, err := d.curves(ctx, q)
	if err != nil {
		return err
	}
	if len(curves) == 0 {
		return errors.New("plot rss: no memory of such a process was recorded")
	}
	peak := slices.MaxFunc(curves, func(a, b *curve) int { return cmp.Compare(a.peak, b.peak) }).peak
	unit, name := 1.0, "bytes"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if peak/unit >= 1024 {
			unit, name = unit*1024, u
		}
	}
	p := newPlot(name)
	legend := plot.NewLegend()
	legend.TextStyle = p.Legend.TextStyle
	legend.Left, legend.Top = true, true
	legend.Padding = vg.Points(4)
	legend.ThumbnailWidth = vg.Points(18)
	if err := d.draw(p, &legend, curves, unit); err != nil {
		return err
	}
	return paint(p, &legend, to, format)
}

// newPlot is an empty plot of bytes in a unit over seconds.
func newPlot(unit string) *plot.Plot {
	p := plot.New()
	p.Title.Text = "Resident memory"
	p.X.Label.Text = "time since the first event shown (s)"
	p.Y.Label.Text = "resident memory (" + unit + ")"
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(ticks), plot.TickerFunc(ticks)
	for _, f := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Variant = "Sans"
		f.Size = vg.Points(10)
	}
	p.Title.TextStyle.Font.Size = vg.Points(13)
	p.Title.Padding = vg.Points(8)
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Label.Padding, p.Y.Label.Padding = vg.Points(4), vg.Points(4)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xdd}, color.Gray{0xdd}
	p.Add(grid)
	return p
}

// ticks at round numbers, some six of them.
func ticks(from, to float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((to-from)/6)))
	for _, f := range []float64{1, 2, 5, 10} {
		if (to-from)/(step*f) <= 8 {
			step *= f
			break
		}
	}
	if step <= 0 || math.IsNaN(step) || math.IsInf(step, 0) {
		return []plot.Tick{{Value: from, Label: strconv.FormatFloat(from, 'g', 4, 64)}}
	}
	var list []plot.Tick
	for i := math.Ceil(from / step); i*step <= to; i++ {
		list = append(list, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 4, 64)})
	}
	return list
}

// draw adds the curves and the legend. The highest come first in the legend
// and are drawn last, over the others.
func (d *DB) draw(p *plot.Plot, legend *plot.Legend, curves []*curve, unit float64) error {
	groups := d.group(curves)
	var lines []*plotter.Line
	for i, g := range groups {
		for j, c := range g.curves {
			for k := range c.points {
				c.points[k].Y /= unit
			}
			line, err := plotter.NewLine(c.points)
			if err != nil {
				return fmt.Errorf("plot %s: %w", c.name, err)
			}
			line.StepStyle = plotter.PostStep
			line.Width = vg.Points(1.4)
			line.Color = gray
			if i < plotLegend {
				line.Color = palette[i]
			}
			lines = append(lines, line)
			switch {
			case j == 0 && i < plotLegend:
				legend.Add(g.label, line)
			case j == 0 && i == plotLegend:
				legend.Add(fmt.Sprintf("%d more", len(groups)-plotLegend), line)
			}
		}
	}
	for _, line := range slices.Backward(lines) {
		p.Add(line)
	}
	p.Y.Min = 0
	p.Y.Max *= 1.05
	return nil
}

// paint puts the plot on paper, the legend to its right.
func paint(p *plot.Plot, legend *plot.Legend, to io.Writer, format string) error {
	const margin = 10 // points
	var paper vg.CanvasWriterTo = vgsvg.New(plotWidth, plotHeight)
	if format == "png" {
		paper = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(plotWidth, plotHeight), vgimg.UseDPI(144))}
	}
	all := draw.New(paper)
	all.FillPolygon(color.White, []vg.Point{{}, {X: plotWidth}, {X: plotWidth, Y: plotHeight}, {Y: plotHeight}})
	all = draw.Crop(all, margin, -margin, margin, -margin)
	side := legend.Rectangle(all).Size().X
	p.Draw(draw.Crop(all, 0, -side-margin, 0, 0))
	legend.Draw(draw.Crop(all, all.Rectangle.Size().X-side, 0, 0, -3*margin))
	if _, err := paper.WriteTo(to); err != nil {
		return fmt.Errorf("write plot: %w", err)
	}
	return nil
}

// bunch is what shares a colour and a line in the legend.
type bunch struct {
	label  string
	curves []*curve
	peak   float64
}

// group gives each process its own colour, or, where they are too many, each
// name in each collection.
func (d *DB) group(curves []*curve) []*bunch {
	each := len(curves) <= plotLegend
	byKey := map[string]*bunch{}
	var groups []*bunch
	for _, c := range curves {
		key := c.collection + "\x00" + c.name
		if each {
			key += fmt.Sprint("\x00", c.pid)
		}
		g := byKey[key]
		if g == nil {
			g = &bunch{}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.curves = append(g.curves, c)
		g.peak = max(g.peak, c.peak)
	}
	slices.SortStableFunc(groups, func(a, b *bunch) int { return cmp.Compare(b.peak, a.peak) })
	for _, g := range groups {
		c := g.curves[0]
		g.label = cmp.Or(printable(c.name), "?")
		if len(g.curves) > 1 {
			g.label += fmt.Sprintf(" (%s processes)", groupDigits(int64(len(g.curves))))
		} else {
			g.label += fmt.Sprintf(" %d", c.pid)
		}
		if d.Several() {
			g.label += ", " + d.shortID(c.collection)
		}
	}
	return groups
}

// shortID is the collection's workload and the start of its id.
func (d *DB) shortID(id string) string {
	for _, c := range d.Collections {
		if c.ID == id {
			return c.Workload + " " + id[:min(len(id), 8)]
		}
	}
	return id
}
