// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestDefaultsAreThoseOfYCSB: from the documentation of YCSB's CoreWorkload and Client.
func TestDefaultsAreThoseOfYCSB(t *testing.T) {
	want := Properties{
		InsertCount: -1, Read: 0.95, Update: 0.05, RequestDistribution: "uniform",
		FieldCount: 10, FieldLength: 100, MinFieldLength: 1, FieldLengthDistribution: "constant",
		ReadAllFields: true, MinScanLength: 1, MaxScanLength: 1000, ScanLengthDistribution: "uniform",
		InsertOrder: "hashed", ZeroPadding: 1, ThreadCount: 1,
	}
	if got := parse(t); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheLastValueWins(t *testing.T) {
	if p := parse(t, "recordcount=5", "target=3", " recordcount = 7 "); p.RecordCount != 7 || p.Target != 3 {
		t.Errorf("got %+v", p)
	}
}

func TestBadPropertiesAreNamed(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"recordcount", `property "recordcount": want NAME=VALUE`},
		{"recordcount=", "recordcount=: want a whole number from 1"},
		{"recordcount=0", "want a whole number from 1"},
		{"recordcount=1e6", "want a whole number"},
		{"recordcount=99999999999999999999", "want a whole number"},
		{"readproportion=-0.1", "not negative"},
		{"readproportion=NaN", "not negative"},
		{"requestdistribution=hotspot", "want one of uniform, zipfian, latest"},
		{"readallfields=1", "want true or false"},
		{"threadcount=0", "from 1 to 4096"},
		{"Recordcount=3", `unknown property "Recordcount"`},
	} {
		if _, err := Parse([]string{c.text}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
	var unknown *UnknownError
	if _, err := Parse([]string{"x=1"}); !errors.As(err, &unknown) || unknown.Name != "x" {
		t.Errorf("unknown property: %v", err)
	}
}

// TestWhatDoesNotGoTogetherIsRefusedFirst: nobody listens at that address.
func TestWhatDoesNotGoTogetherIsRefusedFirst(t *testing.T) {
	for _, c := range []struct {
		load       bool
		properties string
		want       string
	}{
		{true, "", "recordcount: not given"},
		{true, "recordcount=10 insertstart=5 insertcount=6", "more than recordcount=10"},
		{true, "recordcount=10 fieldlength=4 minfieldlength=5 fieldlengthdistribution=uniform", "minfieldlength=5 is more"},
		{true, "recordcount=10 fieldcount=1000000 fieldlength=1000000", "larger than 512 MiB"},
		{false, "recordcount=10", "neither operationcount nor maxexecutiontime"},
		{false, "recordcount=10 operationcount=5 insertstart=10", "no such record"},
		{false, "recordcount=10 operationcount=5 insertcount=0", "no record to work on"},
		{false, "recordcount=10 operationcount=5 readproportion=0 updateproportion=0", "all proportions are 0"},
		{false, "recordcount=10 operationcount=5 minscanlength=5 maxscanlength=4", "minscanlength=5 is more"},
	} {
		r, err := Run(context.Background(), Config{DB: "redis", Addr: "127.0.0.1:1", Load: c.load, Properties: parse(t, strings.Fields(c.properties)...)})
		var usage *UsageError
		if r != nil || !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a usage error with %q", c.properties, err, c.want)
		}
	}
}

// TestMixIsNormalised: shares are of their sum, as in YCSB.
func TestMixIsNormalised(t *testing.T) {
	d, err := newPlan(parse(t, "recordcount=1", "operationcount=1", "readproportion=3", "updateproportion=0", "scanproportion=1", "deleteproportion=4"), false)
	check(t, err)
	for _, c := range []struct {
		u    float64
		want kind
	}{{0, opRead}, {0.374, opRead}, {0.376, opScan}, {0.499, opScan}, {0.501, opDelete}, {0.9999999999999999, opDelete}} {
		if got := d.choose(c.u); got != c.want {
			t.Errorf("%v chooses %s, want %s", c.u, got, c.want)
		}
	}
}
