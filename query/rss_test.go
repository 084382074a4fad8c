// SPDX-License-Identifier: Apache-2.0

package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/query/fixture"
)

const (
	rssTable   = "table mm_rss_stat tracepoint\npid:u32 tgid:u32 ts_ns:i64 member:str count:i64\n"
	traceTable = "table process_trace tp_btf\n" + traceColumns
)

var rssColumns = []string{"pid", "name", "ts_ns", "file_pages", "anon_pages", "shmem_pages", "swap_pages", "total_pages"}

// memory is a pid used twice, and a process older than the recording.
const memory = traceTable + `
100 100 1000000000 sh start
100 100 1000100000 redis-server exec
100 100 2000000000 - end
100 100 5000000000 sh start
` + rssTable + `
# just before its start row: the kernel charges the memory first
100 100 999999900 MM_ANONPAGES 5
100 100 1100000000 MM_FILEPAGES 7
102 100 1200000000 MM_SHMEMPAGES 3
100 100 1300000000 MM_SWAPENTS 2
100 100 1400000000 MM_ANONPAGES 4
# freed after the end: no longer the process's
100 100 2000001000 MM_ANONPAGES 1
100 100 5000000100 MM_ANONPAGES 9
200 200 1500000000 MM_FILEPAGES 11
200 200 1600000000 MM_ANONPAGES 12
`

func TestRSSIsAStepFunctionOfEachProcess(t *testing.T) {
	got, _ := summarize(t, open(t, memory), "rss", Parameters{})
	same(t, pick(t, got, rssColumns...), `
100 redis-server  999999900  0 5 0 0 5
100 redis-server 1100000000  7 5 0 0 12
100 redis-server 1200000000  7 5 3 0 15
100 redis-server 1300000000  7 5 3 2 15
100 redis-server 1400000000  7 4 3 2 14
100 redis-server 2000000000  0 0 0 0 0
100 sh           5000000100  0 9 0 0 9
200 -            1500000000 11 - - - -
200 -            1600000000 11 12 - - 23
`)
	if bytes := pick(t, got, "total_bytes", "anon_bytes"); !strings.HasPrefix(bytes, fmt.Sprintf("%d %d\n", 5*fixture.PageSize, 5*fixture.PageSize)) {
		t.Errorf("bytes are not pages times %d: %s", fixture.PageSize, bytes)
	}
}

func TestRSSOfANameOrAPid(t *testing.T) {
	d := open(t, memory)
	got, _ := summarize(t, d, "rss", Parameters{Process: "redis-server"})
	if n := strings.Count(got, "\n") - 1; n != 6 || strings.Contains(got, ",sh,") {
		t.Errorf("%d rows of redis-server, want 6:\n%s", n, got)
	}
	got, _ = summarize(t, open(t, memory), "rss", Parameters{PID: 200})
	if n := strings.Count(got, "\n") - 1; n != 2 {
		t.Errorf("%d rows of pid 200, want 2:\n%s", n, got)
	}
	var unknown *UnknownProcessError
	if err := d.Set(context.Background(), Parameters{Process: "redis"}); !errors.As(err, &unknown) || !slices.Contains(unknown.Recorded, "redis-server") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestRSSInWindowsHoldsWhatStoodAtTheirEnd(t *testing.T) {
	got, _ := summarize(t, open(t, memory), "rss", Parameters{WindowNS: 300_000_000})
	want := "100 redis-server 900000000 7 5 0 0 12\n" +
		"100 redis-server 1200000000 7 4 3 2 14\n" +
		"100 redis-server 1500000000 7 4 3 2 14\n" +
		"100 redis-server 1800000000 7 4 3 2 14\n" +
		"100 sh 4800000000 0 9 0 0 9\n"
	for ts := 1500; ts <= 4800; ts += 300 { // up to the last row of the recording
		want += fmt.Sprintf("200 - %d000000 11 12 - - 23\n", ts)
	}
	same(t, pick(t, got, rssColumns...), want)
}

// The SQL against the definition: at each event, the last count of each member.
func TestRSSAgreesWithItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	members := []string{"MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS", "MM_SHMEMPAGES"}
	text := traceTable
	rows := rssTable
	var want []string
	for pid := 1; pid <= 10; pid++ {
		text += fmt.Sprintf("%d %d 1000 p%d start\n", pid, pid, pid)
		count := map[string]int{}
		for ts := range 1000 {
			m := members[random.IntN(2)]
			if random.IntN(300) == 0 { // the others stand for long
				m = members[2+random.IntN(2)]
			}
			count[m] = random.IntN(1000)
			rows += fmt.Sprintf("%d %d %d %s %d\n", pid, pid, 2000+ts, m, count[m])
			want = append(want, fmt.Sprintf("%d p%d %d %d %d %d %d %d", pid, pid, 2000+ts, count["MM_FILEPAGES"], count["MM_ANONPAGES"],
				count["MM_SHMEMPAGES"], count["MM_SWAPENTS"], count["MM_FILEPAGES"]+count["MM_ANONPAGES"]+count["MM_SHMEMPAGES"]))
		}
	}
	got, _ := summarize(t, open(t, text+rows), "rss", Parameters{})
	same(t, pick(t, got, rssColumns...), strings.Join(want, "\n"))
}

func TestPlotIsAPicture(t *testing.T) {
	for _, texts := range [][]string{{memory}, {memory, memory}} {
		d := open(t, texts...)
		_, q := summarize(t, d, "rss", Parameters{})
		var out bytes.Buffer
		if err := d.PlotRSS(context.Background(), q, &out, "png"); err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(&out)
		if err != nil || picture.Bounds().Dx() < 1000 {
			t.Fatalf("png: %v, %v", picture.Bounds(), err)
		}
		shades := map[any]bool{}
		for y := range picture.Bounds().Dy() {
			for x := range picture.Bounds().Dx() {
				shades[picture.At(x, y)] = true
			}
		}
		if len(shades) < 10 {
			t.Errorf("a picture of %d colours has no lines", len(shades))
		}
		out.Reset()
		if err := d.PlotRSS(context.Background(), q, &out, "svg"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"redis-server 100", "resident memory (KiB)", "time since the first event shown (s)"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in the svg", want)
			}
		}
	}
}

// Above a million events a picture samples, and the table after it does not.
func TestPlotOfManyEventsSamples(t *testing.T) {
	d := open(t, memory)
	ctx := context.Background()
	if err := d.exec(ctx, "CREATE OR REPLACE VIEW mm_rss_stat AS SELECT 'x' AS collection_id, 1 AS tgid, range AS ts_ns, 'MM_ANONPAGES' AS member, range AS count FROM range(2000000)"); err != nil {
		t.Fatal(err)
	}
	if sampled, err := d.sample(ctx); !sampled || err != nil {
		t.Fatalf("sampled %v, %v", sampled, err)
	}
	same(t, ask(t, d, "SELECT getvariable('window_ns') AS w"), "w\n416")
	d = open(t, memory)
	got, q := summarize(t, d, "rss", Parameters{})
	if err := d.PlotRSS(ctx, q, &bytes.Buffer{}, "svg"); err != nil {
		t.Fatal(err)
	}
	if after := answer(t, d, q); after != got {
		t.Errorf("after the plot the table is\n%s\nand was\n%s", after, got)
	}
}
