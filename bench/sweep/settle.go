// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"errors"
	"fmt"
	"time"

	"github.com/kermit-trace/kermit/dataset"
	"github.com/kermit-trace/kermit/internal/invoker"
)

// settle finds out what has become of a cell that had begun when its sweep was
// killed. Nothing of it runs any more.
func (r *runner) settle() error {
	b := r.state.open
	if b == nil {
		return nil
	}
	ids, err := dataset.Find(r.Output, b.ID+"-")
	if err != nil {
		return err
	}
	e := Ending{Cell: b.Cell, Label: b.Label, Verdict: Killed, Err: "killed, with kbench or the machine"}
	for _, id := range ids {
		found := dataset.RecoverOne(r.Output, id) // or not: then it is not whole
		step("recovered")
		if found.Dir != "" && e.Verdict == Killed && e.adopt(found.Dir) == nil {
			if err := invoker.GiveAll(found.Dir); err != nil {
				return fmt.Errorf("hand collection over: %w", err)
			}
			continue
		}
		if err := dataset.Discard(r.Output, id); err != nil {
			return err
		}
		step("discarded")
	}
	if e.Verdict == Killed && r.state.kills[b.Cell]+1 >= mostKills {
		e.fail(fmt.Errorf("kbench or the machine died %d times while it ran", mostKills))
	}
	e.Time = time.Now()
	return r.note(e)
}

// adopt makes a collection that was published and not noted the cell's. The
// error says why it is not.
func (e *Ending) adopt(dir string) error {
	list, err := dataset.List(dir)
	if err != nil {
		return err
	}
	c := &list[0]
	total, err := c.Totals()
	if err != nil {
		return err
	}
	for _, check := range c.Verify() { // also that it is complete
		if len(check.Wrong) > 0 {
			return fmt.Errorf("table %s: %s", check.Table, check.Wrong[0])
		}
	}
	code, err := c.Last("run", "exit_code")
	if err != nil {
		return err
	}
	took, err := c.Last("run", "collection_ns")
	if err != nil {
		return err
	}
	if code != 0 {
		return errors.New("its workload failed") // or was ended: who knows by now
	}
	*e = Ending{
		Cell: e.Cell, Label: e.Label, Verdict: Done, ID: c.ID, Rows: total.Rows, Lost: total.Lost, Bytes: total.Bytes,
		Seconds: time.Duration(took).Seconds(),
	}
	return nil
}
