// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/kermit-trace/kermit/bpf"
	"github.com/kermit-trace/kermit/cmd/internal/command"
	"github.com/kermit-trace/kermit/proc"
	"github.com/kermit-trace/kermit/stream"
	"github.com/kermit-trace/kermit/trace"
)

// record is ktrace without a command of its own.
func record(c *cli.Context) error {
	if c.NArg() > 0 && !slices.Contains(os.Args, "--") {
		return command.Hint(command.Usage("unknown command %q", c.Args().First()), "ktrace --help; to record a program: ktrace … -- %s", c.Args().First())
	}
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return command.Hint(command.Usage("stdout is a terminal; a stream is binary"),
			"ktrace … | kparquet -o data/, or ktrace … | ktrace cat")
	}
	options, err := options(c)
	if err != nil {
		return err
	}
	job, err := newJob(c.Args().Slice())
	if err != nil {
		return err
	}
	options.Filter.Follow = options.Filter.Follow || job != nil
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	if job != nil {
		options.Started = func() error { return job.start(stop) }
	}
	session, err := trace.Open(options)
	if err != nil {
		return advise(err)
	}
	defer session.Close()
	for _, why := range session.LeftOut {
		fmt.Fprintln(os.Stderr, "ktrace: left out:", why)
	}
	for _, hook := range session.Nobodys {
		fmt.Fprintf(os.Stderr, "ktrace: note: rows of %s belong to no process: they are not filtered\n", hook)
	}
	err = write(ctx, stop, c.Duration("duration"), session, job)
	job.wait()
	if err == nil && job != nil {
		err = job.result()
	}
	return err
}

// write runs the session until something ends it.
func write(ctx context.Context, stop func(), duration time.Duration, session *trace.Session, job *job) error {
	if duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, duration)
		defer cancel()
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, command.Endings()...)
	go func() {
		s := <-signals
		if !job.signal(s) {
			stop()
		}
		<-signals
		stop()
		<-signals
		os.Exit(1)
	}()
	header := stream.NewHeader("ktrace " + command.Version())
	end, listener, err := stream.ListenStop(stop)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	header.Stop = end
	_, system := proc.SystemInfo(session.Hooks)
	stream.WidenPipe(os.Stdout)
	return session.Run(ctx, stream.NewWriter(os.Stdout), header, []*stream.Batch{system})
}

// filter reads the flags that choose processes.
func filter(c *cli.Context) (trace.Filter, error) {
	f := trace.Filter{Follow: c.Bool("follow"), PIDs: c.IntSlice("pid"), Comm: c.String("comm"), Cgroup: c.String("cgroup")}
	for _, pid := range f.PIDs {
		if pid <= 0 {
			return f, command.Usage("--pid %d: not a process", pid)
		}
	}
	name := c.String("uid")
	if name == "" {
		return f, nil
	}
	id := name
	if _, err := strconv.ParseUint(name, 10, 32); err != nil {
		found, err := user.Lookup(name)
		if err != nil {
			return f, command.Usage("--uid %s: no such user", name)
		}
		id = found.Uid
	}
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return f, command.Usage("--uid %s: not a user id", name)
	}
	uid := uint32(n)
	f.UID = &uid
	return f, nil
}

func options(c *cli.Context) (trace.Options, error) {
	o := trace.Options{
		BestEffort: c.Bool("best-effort"), Self: c.Bool("self"), Cost: c.Bool("cost"),
		Source: map[string]string{}, Log: func(string, ...any) {},
	}
	if c.Bool("verbose") {
		o.Log = func(format string, args ...any) { fmt.Fprintf(os.Stderr, "ktrace: "+format+"\n", args...) }
	}
	size, err := humanize.ParseBytes(c.String("ring-size"))
	if err != nil || size == 0 || size > 1<<40 {
		return o, command.Usage("--ring-size %q: not a size such as 64MiB", c.String("ring-size"))
	}
	o.RingSize = int(size)
	if c.IsSet("duration") && c.Duration("duration") <= 0 {
		return o, command.Usage("--duration %s: not a time that passes", c.Duration("duration"))
	}
	if o.Filter, err = filter(c); err != nil {
		return o, err
	}
	rooms, err := trace.Rooms(bpf.Rooms)
	if err != nil {
		return o, err
	}
	if o.Rooms, err = choose(rooms, c.String("hooks")); err != nil {
		return o, err
	}
	for _, text := range c.StringSlice("source") {
		if err := source(o, text); err != nil {
			return o, err
		}
	}
	return o, nil
}

// source reads one HOOK=SOURCE.
func source(o trace.Options, text string) error {
	hook, name, ok := strings.Cut(text, "=")
	if !ok {
		return command.Usage("--source %q: not HOOK=SOURCE", text)
	}
	for _, room := range o.Rooms {
		if room.Name != hook {
			continue
		}
		var names []string
		for _, s := range room.Sources {
			if s.Name == name {
				o.Source[hook] = name
				return nil
			}
			names = append(names, s.Name)
		}
		return command.Usage("--source %s: %s has %s", text, hook, strings.Join(names, ", "))
	}
	return command.Usage("--source %s: %q is not among the hooks to record", text, hook)
}

func choose(rooms []*trace.Room, list string) ([]*trace.Room, error) {
	chosen, err := trace.Select(rooms, strings.Split(list, ","))
	var unknown *trace.UnknownHook
	if errors.As(err, &unknown) {
		hint := "ktrace list shows all"
		if near := command.Nearest(unknown.Name, trace.Names(rooms)); near != "" {
			hint = fmt.Sprintf("did you mean %s? ktrace list shows all", near)
		}
		return nil, command.Hint(command.Usage("%w", err), "%s", hint)
	}
	return chosen, err
}

// advise adds what the user can try.
func advise(err error) error {
	var privilege *trace.ErrPrivilege
	if errors.As(err, &privilege) {
		return command.Hint(err, "%s", privilege.Help("ktrace …"))
	}
	var none *trace.NoWay
	if errors.As(err, &none) {
		return command.Hint(err, "ktrace doctor explains; --best-effort leaves the hook out")
	}
	return err
}
