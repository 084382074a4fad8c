// SPDX-License-Identifier: Apache-2.0

// Command compare says how fast the load generator is beside redis-benchmark:
//
//	go run ./bench/ycsb/compare [-rounds 5] [-requests 200000] [-connections 1,50] [-least 0.5]
//
// Both send the same commands, half of them HMGET and half HSET of one field of
// 100 bytes, one command at a time on each of the same number of connections, to
// the same redis-server, over the same 100,000 keys, chosen uniformly. They take
// turns, so that a busy machine is so for both; but redis-benchmark has one
// thread, so on a machine that others keep busy it gets the smaller share.
// redis-benchmark cannot mix commands: it sends half of the requests as HMGET,
// then the other half as HSET, and its throughput is that of both together.
// Printed are the medians over the rounds and the median of the ratios of each
// round; below -least, the exit code is 1.
//
// It needs redis-server and redis-benchmark.
package main

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/kermit-trace/kermit/bench/ycsb"
	"github.com/kermit-trace/kermit/bench/ycsb/servertest"
)

const (
	records = 100_000
	bytes   = 100
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds")
	requests := flag.Int("requests", 200_000, "requests of each turn")
	connections := flag.String("connections", "1,50", "numbers of connections to measure with")
	least := flag.Float64("least", 0.5, "ratio below which the exit code is 1")
	flag.Parse()
	enough, err := compare(*rounds, *requests, *connections, *least)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	if !enough {
		fmt.Fprintf(os.Stderr, "compare: a ratio is below %v\n", *least)
		os.Exit(1)
	}
}

func compare(rounds, requests int, connections string, least float64) (enough bool, err error) {
	s, err := servertest.Redis()
	if err != nil {
		return false, err
	}
	defer s.Stop()
	if _, err := drive(s.Addr, true, "threadcount=8"); err != nil {
		return false, err
	}
	enough = true
	for word := range strings.SplitSeq(connections, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return false, fmt.Errorf("number of connections %q", word)
		}
		var theirs, ours, ratios []float64
		for i := range rounds {
			fmt.Fprintf(os.Stderr, "%d connections, round %d of %d\n", n, i+1, rounds)
			t, err := benchmark(s.Addr, requests, n)
			if err != nil {
				return false, err
			}
			o, err := drive(s.Addr, false, fmt.Sprintf("threadcount=%d", n), fmt.Sprintf("operationcount=%d", requests))
			if err != nil {
				return false, err
			}
			theirs, ours, ratios = append(theirs, t), append(ours, o), append(ratios, o/t)
		}
		fmt.Printf("%3d connections: redis-benchmark -P 1 %7.0f/s, kbench ycsb %7.0f/s, ratio %.2f (%.2f to %.2f)\n",
			n, median(theirs), median(ours), median(ratios), slices.Min(ratios), slices.Max(ratios))
		enough = enough && median(ratios) >= least
	}
	return enough, nil
}

// drive is the load generator's turn, in operations a second. The keys are
// those that redis-benchmark makes: twelve digits.
func drive(addr string, load bool, more ...string) (float64, error) {
	p, err := ycsb.Parse(append([]string{
		fmt.Sprintf("recordcount=%d", records), "insertorder=ordered", "zeropadding=12",
		"fieldcount=1", fmt.Sprintf("fieldlength=%d", bytes), "readallfields=false",
		"readproportion=0.5", "updateproportion=0.5", "requestdistribution=uniform",
	}, more...))
	if err != nil {
		return 0, err
	}
	r, err := ycsb.Run(context.Background(), ycsb.Config{DB: "redis", Addr: addr, Load: load, Properties: p})
	if err != nil {
		return 0, err
	}
	return r.Throughput(), r.Err(false)
}

// benchmark is redis-benchmark's turn: so many requests in both halves together.
func benchmark(addr string, requests, connections int) (float64, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, fmt.Errorf("address of the server: %w", err)
	}
	seconds := 0.0
	for _, words := range [][]string{
		{"HMGET", "user__rand_int__", "field0"},
		{"HSET", "user__rand_int__", "field0", strings.Repeat("x", bytes)},
	} {
		args := append([]string{
			"-h", "127.0.0.1", "-p", port, "-P", "1", "-c", strconv.Itoa(connections),
			"-n", strconv.Itoa(requests / 2), "-r", strconv.Itoa(records), "--csv",
		}, words...)
		out, err := exec.Command("redis-benchmark", args...).Output()
		if err != nil {
			return 0, fmt.Errorf("run redis-benchmark: %w", err)
		}
		rate, err := rate(string(out))
		if err != nil {
			return 0, err
		}
		seconds += float64(requests/2) / rate
	}
	return float64(requests/2*2) / seconds, nil
}

// rate reads the requests a second: the second word of the line after the heading.
func rate(text string) (float64, error) {
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("read redis-benchmark's answer: %w", err)
	}
	if len(lines) < 2 || len(lines[1]) < 2 {
		return 0, fmt.Errorf("read redis-benchmark's answer: no rate in %q", text)
	}
	f, err := strconv.ParseFloat(lines[1][1], 64)
	if err != nil || f <= 0 {
		return 0, fmt.Errorf("read redis-benchmark's answer: rate %q", lines[1][1])
	}
	return f, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
