// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"errors"
	"fmt"
	"math"
)

// kind of operation, in the order of YCSB's output. The number is an index of
// tables.
type kind int

const (
	opRead kind = iota
	opUpdate
	opInsert
	opScan
	opReadModifyWrite
	opDelete
	kinds
)

func (k kind) String() string {
	return [kinds]string{"READ", "UPDATE", "INSERT", "SCAN", "READ-MODIFY-WRITE", "DELETE"}[k]
}

// plan is what properties mean for a load or for a run.
type plan struct {
	Properties
	mix        [kinds]float64 // upper ends of the kinds in 0 … 1
	low, high  int64          // records low … high-1 are there at the start
	nextInsert int64
	operations int64 // math.MaxInt64: until the time is up
	threads    int
}

// newPlan checks what properties together must satisfy.
func newPlan(p Properties, load bool) (*plan, error) {
	if p.RecordCount == 0 {
		return nil, errors.New("property recordcount: not given")
	}
	if p.FieldLengthDistribution != "constant" && p.MinFieldLength > p.FieldLength {
		return nil, fmt.Errorf("minfieldlength=%d is more than fieldlength=%d", p.MinFieldLength, p.FieldLength)
	}
	if p.FieldCount*p.FieldLength > maxRecord {
		return nil, fmt.Errorf("a record of fieldcount=%d × fieldlength=%d is larger than 512 MiB", p.FieldCount, p.FieldLength)
	}
	if p.MinScanLength > p.MaxScanLength {
		return nil, fmt.Errorf("minscanlength=%d is more than maxscanlength=%d", p.MinScanLength, p.MaxScanLength)
	}
	if p.InsertCount >= 0 && p.InsertStart+p.InsertCount > p.RecordCount {
		return nil, fmt.Errorf("insertstart=%d + insertcount=%d is more than recordcount=%d", p.InsertStart, p.InsertCount, p.RecordCount)
	}
	d := &plan{Properties: p}
	if load {
		d.planLoad()
	} else if err := d.planRun(); err != nil {
		return nil, err
	}
	d.threads = int(min(p.ThreadCount, max(1, d.operations)))
	return d, nil
}

func (d *plan) planLoad() {
	d.mix[opInsert] = 1
	d.nextInsert = d.InsertStart
	if d.operations = d.InsertCount; d.InsertCount < 0 {
		d.operations = d.RecordCount
	}
	d.low, d.high = d.InsertStart, d.InsertStart
}

func (d *plan) planRun() error {
	if d.InsertStart >= d.RecordCount {
		return fmt.Errorf("insertstart=%d: there is no such record below recordcount=%d", d.InsertStart, d.RecordCount)
	}
	d.low, d.high = d.InsertStart, d.RecordCount
	if d.InsertCount >= 0 {
		d.high = d.InsertStart + d.InsertCount
	}
	if d.high == d.low {
		return errors.New("insertcount=0: there is no record to work on")
	}
	d.nextInsert = d.RecordCount
	if d.operations = d.OperationCount; d.operations == 0 {
		if d.MaxExecutionTime == 0 {
			return errors.New("neither operationcount nor maxexecutiontime is given")
		}
		d.operations = math.MaxInt64
	}
	sum := 0.0
	for k, p := range d.proportions() {
		sum += p
		d.mix[k] = sum
	}
	if sum == 0 {
		return errors.New("all proportions are 0")
	}
	for k := range d.mix {
		d.mix[k] /= sum
	}
	return nil
}

func (d *plan) proportions() [kinds]float64 {
	return [kinds]float64{d.Read, d.Update, d.Insert, d.Scan, d.ReadModifyWrite, d.Delete}
}

// choose maps u, 0 <= u < 1, to a kind of operation.
func (d *plan) choose(u float64) kind {
	for k, end := range d.mix {
		if u < end {
			return kind(k)
		}
	}
	return 0 // not reached: the last end is x/x
}

// inserts tells whether records can come.
func (d *plan) inserts() bool { return d.mix[opInsert] > d.mix[opUpdate] }

// expectedInserts is how many inserts a run may make, twice over, as YCSB
// estimates it: the zipfian distribution is laid over records to come, too.
func (d *plan) expectedInserts() int64 {
	if d.operations == math.MaxInt64 {
		return d.high - d.low // nobody knows; as many as there are
	}
	share := d.mix[opInsert] - d.mix[opUpdate]
	return int64(min(2*share*float64(d.operations), maxRecords))
}
