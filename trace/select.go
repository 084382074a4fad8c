// SPDX-License-Identifier: Apache-2.0

package trace

import "fmt"

// UnknownHook is an error of [Select].
type UnknownHook struct{ Name string }

func (e *UnknownHook) Error() string { return fmt.Sprintf("unknown hook %q", e.Name) }

// Select finds rooms by their name or by a name of one of their tables, each
// once, in the order of names.
func Select(rooms []*Room, names []string) ([]*Room, error) {
	var chosen []*Room
	taken := map[*Room]bool{}
	for _, name := range names {
		room := find(rooms, name)
		if room == nil {
			return nil, &UnknownHook{name}
		}
		if !taken[room] {
			taken[room] = true
			chosen = append(chosen, room)
		}
	}
	return chosen, nil
}

func find(rooms []*Room, name string) *Room {
	for _, r := range rooms {
		if r.Name == name {
			return r
		}
	}
	for _, r := range rooms {
		for _, t := range r.Tables {
			if t.Name == name {
				return r
			}
		}
	}
	return nil
}

// Names lists every name that Select understands.
func Names(rooms []*Room) []string {
	var names []string
	for _, r := range rooms {
		names = append(names, r.Name)
		for _, t := range r.Tables {
			if t.Name != r.Name {
				names = append(names, t.Name)
			}
		}
	}
	return names
}
