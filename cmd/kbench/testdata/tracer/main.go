// SPDX-License-Identifier: Apache-2.0

// Command tracer is a ktrace without probes: it writes a real stream, listens
// on a real stop socket, and can misbehave as asked.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/kermit-trace/kermit/stream"
)

// tick is the row of the one table that "probes" fill.
type tick struct {
	TS   int64  `col:"ts_ns" doc:"when"`
	N    int64  `col:"n" doc:"count"`
	Comm string `col:"comm" doc:"text"`
	Last bool   `col:"last" doc:"made after the request to stop"`
}

type stats struct {
	TS    int64 `col:"ts_ns" doc:"when"`
	Final bool  `col:"final" doc:"the last"`
}

var (
	newer    = flag.Bool("newer", false, "write a header of version 2, nothing else")
	header   = flag.Bool("header", false, "end after the header and one table")
	deaf     = flag.Bool("deaf", false, "name a stop socket that nobody listens on")
	stubborn = flag.Bool("stubborn", false, "ignore the request to stop")
	slow     = flag.Duration("slow", 0, "wait before the last table")
	ends     = flag.String("ends", "", "end by itself when the file is there")
	cut      = flag.String("cut", "", "end without the end frame when the file is there")
	garbage  = flag.String("garbage", "", "write text in the middle when the file is there")
	frames   = flag.Int("frames", 0, "write so many frames at full speed, then wait")
	tee      = flag.String("tee", "", "write the stream to a file too")
)

func main() {
	flag.Parse()
	signal.Ignore(syscall.SIGINT)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // to be told as an error
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tracer:", err)
		os.Exit(1)
	}
}

func run() error {
	stopped := make(chan struct{}, 8)
	stop, l, err := stream.ListenStop(func() { stopped <- struct{}{} })
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if *deaf {
		_ = l.Close()
	}
	var out io.Writer = os.Stdout
	if *tee != "" {
		f, err := os.Create(*tee)
		if err != nil {
			return err
		}
		out = io.MultiWriter(f, out)
	}
	w := stream.NewWriter(out)
	h := stream.NewHeader("tracer")
	h.Hooks, h.Tables, h.Stop = []string{"tick"}, []string{"hook_stats", "tick"}, stop
	if *newer {
		var b bytes.Buffer
		if err := stream.NewWriter(&b).Header(h); err != nil {
			return err
		}
		_, err := out.Write(bytes.Replace(b.Bytes(), []byte("version\x01"), []byte("version\x02"), 1))
		return err
	}
	return write(w, h, out, stopped)
}

func write(w *stream.Writer, h *stream.Header, out io.Writer, stopped chan struct{}) error {
	ticks := stream.NewRows[tick]("tick", "a tick", "test")
	finals := stream.NewRows[stats]("hook_stats", "counters", "test")
	if err := w.Header(h); err != nil {
		return err
	}
	if err := w.Table(finals.Table()); err != nil || *header {
		return err
	}
	time.Sleep(*slow)
	ticks.Table().Attrs = map[string]string{"declared_ns": strconv.FormatInt(stream.Now(), 10)}
	if err := w.Table(ticks.Table()); err != nil {
		return err
	}
	told := func(file string) bool {
		_, err := os.Stat(file)
		return file != "" && err == nil
	}
	send := func(n int, last bool) error {
		ticks.Append(tick{TS: stream.Now(), N: int64(n), Comm: "tick", Last: last})
		return w.Batch(ticks.Batch())
	}
	for n := 0; ; n++ {
		if err := send(n, false); err != nil {
			return err
		}
		if n+1 == *frames {
			fmt.Fprintln(os.Stderr, "tracer: all frames are written")
		}
		pause := 5 * time.Millisecond
		if n < *frames {
			pause = 0
		}
		select {
		case <-time.After(pause):
			switch {
			case told(*cut):
				return nil
			case told(*garbage):
				_, _ = fmt.Fprintln(out, "\xc1 ktrace: something else on stdout")
				continue
			case !told(*ends):
				continue
			}
		case <-stopped:
			if *stubborn {
				continue
			}
		}
		finals.Append(stats{TS: stream.Now(), Final: true})
		if err := send(n+1, true); err != nil {
			return err
		}
		if err := w.Batch(finals.Batch()); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "tracer: stopped in an orderly way")
		return w.End()
	}
}
