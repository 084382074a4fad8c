// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	maxRecords = 1 << 36 // record numbers: 8 GiB of bits, were all in use
	maxThreads = 4096
	maxRecord  = 512 << 20 // bytes of a record: what redis takes as one value
	maxTarget  = 10_000_000
	maxSeconds = 366 * 24 * 3600
)

// Properties of a workload, under YCSB's names: [Parse] makes them.
type Properties struct {
	RecordCount    int64
	OperationCount int64 // 0: until MaxExecutionTime
	InsertStart    int64
	InsertCount    int64 // -1: not given

	Read, Update, Insert, Scan, ReadModifyWrite, Delete float64 // proportions

	RequestDistribution string

	FieldCount              int64
	FieldLength             int64 // bytes
	MinFieldLength          int64
	FieldLengthDistribution string
	ReadAllFields           bool
	WriteAllFields          bool

	MinScanLength          int64 // records
	MaxScanLength          int64
	ScanLengthDistribution string

	InsertOrder string
	ZeroPadding int64

	ThreadCount      int64
	Target           int64 // operations a second over all threads; 0: as fast as they go
	MaxExecutionTime int64 // seconds; 0: no limit
}

// property is one line of the reference, and the rule for its values.
type property struct {
	name, standard, doc string
	set                 func(value string) error
}

// table lists the properties, bound to p.
func (p *Properties) table() []property {
	return []property{
		{"recordcount", "", "records in the database", whole(&p.RecordCount, 1, maxRecords)},
		{"operationcount", "0", "operations of a run; 0: until maxexecutiontime", whole(&p.OperationCount, 0, math.MaxInt64)},
		{"insertstart", "0", "first record", whole(&p.InsertStart, 0, maxRecords)},
		{"insertcount", "", "records from insertstart on", whole(&p.InsertCount, 0, maxRecords)},
		{"readproportion", "0.95", "share of reads", share(&p.Read)},
		{"updateproportion", "0.05", "share of updates", share(&p.Update)},
		{"insertproportion", "0", "share of inserts", share(&p.Insert)},
		{"scanproportion", "0", "share of scans (redis)", share(&p.Scan)},
		{"readmodifywriteproportion", "0", "share of reads with an update of the same record", share(&p.ReadModifyWrite)},
		{"deleteproportion", "0", "share of deletes", share(&p.Delete)},
		{"requestdistribution", "uniform", "which records: uniform, zipfian, latest", word(&p.RequestDistribution, "uniform", "zipfian", "latest")},
		{"fieldcount", "10", "fields of a record", whole(&p.FieldCount, 1, 1<<20)},
		{"fieldlength", "100", "bytes of a field, at most", whole(&p.FieldLength, 0, maxRecord)},
		{"minfieldlength", "1", "bytes of a field, at least", whole(&p.MinFieldLength, 0, maxRecord)},
		{"fieldlengthdistribution", "constant", "constant, uniform, zipfian", word(&p.FieldLengthDistribution, "constant", "uniform", "zipfian")},
		{"readallfields", "true", "reads fetch all fields, not one", truth(&p.ReadAllFields)},
		{"writeallfields", "false", "updates write all fields, not one", truth(&p.WriteAllFields)},
		{"minscanlength", "1", "records of a scan, at least", whole(&p.MinScanLength, 1, 1<<30)},
		{"maxscanlength", "1000", "records of a scan, at most", whole(&p.MaxScanLength, 1, 1<<30)},
		{"scanlengthdistribution", "uniform", "uniform, zipfian", word(&p.ScanLengthDistribution, "uniform", "zipfian")},
		{"insertorder", "hashed", "keys: hashed, ordered", word(&p.InsertOrder, "hashed", "ordered")},
		{"zeropadding", "1", "digits of the number in a key, at least", whole(&p.ZeroPadding, 1, 128)},
		{"threadcount", "1", "threads, with a connection each", whole(&p.ThreadCount, 1, maxThreads)},
		{"target", "0", "operations a second over all threads; 0: unlimited", whole(&p.Target, 0, maxTarget)},
		{"maxexecutiontime", "0", "seconds; 0: no limit", whole(&p.MaxExecutionTime, 0, maxSeconds)},
	}
}

// Names of all properties, in the order of the reference.
func Names() []string {
	var names []string
	for _, d := range new(Properties).table() {
		names = append(names, d.name)
	}
	return names
}

// Reference is the list of properties for people: name, default, meaning.
func Reference() string {
	var b strings.Builder
	for _, d := range new(Properties).table() {
		standard := ""
		if d.standard != "" {
			standard = " (" + d.standard + ")"
		}
		_, _ = fmt.Fprintf(&b, "%-37s %s\n", d.name+standard, d.doc)
	}
	return b.String()
}

// UnknownError is a property that there is not.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string { return fmt.Sprintf("unknown property %q", e.Name) }

// Parse reads assignments NAME=VALUE; a later one wins over an earlier one.
// Errors are about one property; what goes together is judged by [Run].
func Parse(assignments []string) (Properties, error) {
	p := Properties{InsertCount: -1}
	table := p.table()
	for _, d := range table {
		if d.standard == "" {
			continue
		}
		if err := d.set(d.standard); err != nil {
			return p, fmt.Errorf("default of %s: %w", d.name, err)
		}
	}
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return p, fmt.Errorf("property %q: want NAME=VALUE", a)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		i := slices.IndexFunc(table, func(d property) bool { return d.name == name })
		if i < 0 {
			return p, &UnknownError{name}
		}
		if err := table[i].set(value); err != nil {
			return p, fmt.Errorf("property %s=%s: %w", name, value, err)
		}
	}
	return p, nil
}

func whole(to *int64, low, high int64) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want a whole number from %d to %d", low, high)
		}
		*to = n
		return nil
	}
}

func share(to *float64) func(string) error {
	return func(value string) error {
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || !(f >= 0 && f <= 1e9) { // not: NaN fails every comparison
			return fmt.Errorf("want a number that is not negative")
		}
		*to = f
		return nil
	}
}

func word(to *string, words ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("want one of %s", strings.Join(words, ", "))
		}
		*to = value
		return nil
	}
}

func truth(to *bool) func(string) error {
	return func(value string) error {
		switch strings.ToLower(value) {
		case "true":
			*to = true
		case "false":
			*to = false
		default:
			return fmt.Errorf("want true or false")
		}
		return nil
	}
}
