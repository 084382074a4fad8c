// SPDX-License-Identifier: Apache-2.0

package ycsb

import (
	"math/rand"
	"strconv"
)

// alphabet of the data: none of it needs escapes in JSON.
const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

// fieldNames are field0, field1, …
func fieldNames(n int64) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "field" + strconv.Itoa(i)
	}
	return names
}

// field is a name and a value to be written.
type field struct {
	name  string
	value []byte
}

// values makes random fields in memory that is used again at the next call.
type values struct {
	names   []string
	length  number
	random  *rand.Rand
	storage []byte
	fields  []field
}

// all makes a whole record.
func (v *values) all() []field {
	v.start()
	for _, name := range v.names {
		v.add(name)
	}
	return v.fields
}

// one makes one field, any of them.
func (v *values) one() []field {
	v.start()
	v.add(v.names[v.random.Intn(len(v.names))])
	return v.fields
}

// name is that of any field.
func (v *values) name() string { return v.names[v.random.Intn(len(v.names))] }

func (v *values) start() { v.storage, v.fields = v.storage[:0], v.fields[:0] }

func (v *values) add(name string) {
	from := len(v.storage)
	v.storage = v.text(v.storage, int(v.length.Next(v.random)))
	v.fields = append(v.fields, field{name, v.storage[from:]})
}

// text appends n random characters, ten from each random number.
func (v *values) text(to []byte, n int) []byte {
	for n > 0 {
		bits := v.random.Uint64()
		for range min(n, 10) {
			to = append(to, alphabet[bits&63])
			bits >>= 6
		}
		n -= 10
	}
	return to
}

// seeds of a thread's generators, from the run's and the thread's number.
func seeds(seed uint64, thread int) (operations, keys, data *rand.Rand) {
	mixed := func(use uint64) *rand.Rand {
		// splitmix64, so that neighbours have nothing in common
		z := (seed + uint64(thread)*3 + use + 1) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return rand.New(rand.NewSource(int64(z ^ z>>31)))
	}
	return mixed(0), mixed(1), mixed(2)
}
