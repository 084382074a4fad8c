// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// parseCPUs reads a list of CPUs as taskset(1) has it: 0-3,8. "" is nil: all.
func parseCPUs(list string) (*unix.CPUSet, error) {
	if list == "" {
		return nil, nil
	}
	var allowed, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, fmt.Errorf("read own CPUs: %w", err)
	}
	for _, part := range strings.Split(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		lo, err := strconv.Atoi(first)
		hi := lo
		if err == nil && isRange {
			hi, err = strconv.Atoi(last)
		}
		if err != nil || lo < 0 || hi < lo || hi >= 1<<20 {
			return nil, fmt.Errorf("CPUs %q: want a list such as 0-3,8", list)
		}
		for cpu := lo; cpu <= hi; cpu++ {
			if !allowed.IsSet(cpu) {
				return nil, fmt.Errorf("CPUs %q: there is no CPU %d for us", list, cpu)
			}
			set.Set(cpu)
		}
	}
	return &set, nil
}
