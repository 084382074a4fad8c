// SPDX-License-Identifier: Apache-2.0

package dataset

// A dictionary numbers distinct integers in the order they come. It is a hash
// table with open addressing, kept from column to column.
type dictionary struct {
	slots  []int32 // index into values plus one; 0: free
	values []int64
}

// few is how many distinct values a column may have whatever its length: eight
// bits a row at the most.
const few = 256

// build numbers the values. It gives up, and returns false, when there are so
// many that deltas are the better encoding: more than a few, and more than one
// in 64 rows. Neighbours are compared first, as most columns worth a
// dictionary have long runs.
func (d *dictionary) build(index []int32, ints []int64) ([]int32, bool) {
	d.reset()
	index = index[:0]
	before, n := ints[0], d.number(ints[0])
	for i, v := range ints {
		if v != before {
			n, before = d.number(v), v
			if len(d.values) > few && len(d.values) > i/64 {
				return index, false
			}
		}
		index = append(index, n)
	}
	return index, true
}

// number returns the index of v, which it adds if need be.
func (d *dictionary) number(v int64) int32 {
	mask := uint64(len(d.slots) - 1)
	for h := hash(v) & mask; ; h = (h + 1) & mask {
		n := d.slots[h]
		if n == 0 {
			return d.add(v, h)
		}
		if d.values[n-1] == v {
			return n - 1
		}
	}
}

func (d *dictionary) add(v int64, slot uint64) int32 {
	d.values = append(d.values, v)
	n := int32(len(d.values))
	d.slots[slot] = n
	if 2*len(d.values) > len(d.slots) {
		d.grow()
	}
	return n - 1
}

func (d *dictionary) grow() {
	d.slots = make([]int32, 2*len(d.slots))
	mask := uint64(len(d.slots) - 1)
	for i, v := range d.values {
		h := hash(v) & mask
		for d.slots[h] != 0 {
			h = (h + 1) & mask
		}
		d.slots[h] = int32(i + 1)
	}
}

func (d *dictionary) reset() {
	const slots = 4 * few
	if len(d.slots) != slots { // grown, or new
		d.slots = make([]int32, slots)
	}
	clear(d.slots)
	d.values = d.values[:0]
}

// hash multiplies by 2^64/φ and takes the upper bits, which all bits of v reach.
func hash(v int64) uint64 { return uint64(v) * 0x9e3779b97f4a7c15 >> 32 }
