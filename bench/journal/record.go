// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kermit-trace/kermit/bench/knob"
)

// version of the format.
const version = 1

// record is a line of a journal: one of its fields is set.
type record struct {
	Run     *header      `json:"run,omitempty"`
	Claim   []string     `json:"claim,omitempty"`
	Knob    *knob.Change `json:"knob,omitempty"`
	Held    bool         `json:"held,omitempty"` // the changes so far have the values that were written
	Service *service     `json:"service,omitempty"`
	Ended   int          `json:"ended,omitempty"`
	Folder  string       `json:"folder,omitempty"`
	Settled string       `json:"settled,omitempty"`
}

// header is the first record: who runs, and where its numbers hold.
type header struct {
	Version int    `json:"version"`
	What    string `json:"what"` // as a user would call it: "kbench run redis"
	PID     int    `json:"pid"`
	Start   uint64 `json:"start"` // clock ticks after boot (USER_HZ)
	BootID  string `json:"boot_id"`
	Mark    string `json:"mark"`
	PIDNS   string `json:"pid_ns"` // process numbers are those of this namespace
	NetNS   string `json:"net_ns"` // and so are files below /proc/sys/net
}

func (h *header) String() string { return fmt.Sprintf("%s (pid %d)", h.What, h.PID) }

// service is a process that must not outlive the run.
type service struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Start   uint64 `json:"start"`
	Group   int    `json:"group"` // 0 unless the process leads it
	Session int    `json:"session"`
}

// newHeader describes this process.
func newHeader(what string) (*header, error) {
	self, err := look(os.Getpid())
	if err != nil {
		return nil, fmt.Errorf("read own process: %w", err)
	}
	h, err := here()
	if err != nil {
		return nil, err
	}
	h.Version, h.What, h.PID, h.Start = version, what, self.pid, self.start
	h.Mark = rand.Text()
	return h, nil
}

// here tells the boot and the namespaces that this process lives in.
func here() (*header, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("tell boot: %w", err)
	}
	h := &header{BootID: strings.TrimSpace(string(id))}
	if h.PIDNS, err = os.Readlink("/proc/self/ns/pid"); err != nil {
		return nil, fmt.Errorf("tell namespace: %w", err)
	}
	if h.NetNS, err = os.Readlink("/proc/self/ns/net"); err != nil {
		return nil, fmt.Errorf("tell namespace: %w", err)
	}
	return h, nil
}

// history is what a journal tells.
type history struct {
	header   *header // nil: the run died before it wrote one, and did nothing
	claims   []string
	changes  []knob.Change // written, or about to be
	held     int           // how many of them are known to have been written
	services []service     // that have not ended
	folders  []string      // to be removed
}

// parse reads a journal. Its last line may be torn; any other that cannot be
// read is an error.
func parse(data []byte) (*history, error) {
	h := &history{}
	for number := 1; ; number++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return h, nil
		}
		data = rest
		var r record
		err := json.Unmarshal(line, &r)
		switch {
		case err != nil:
		case number == 1 && r.Run == nil, number > 1 && r.Run != nil:
			err = fmt.Errorf("the first line, and no other, names the run")
		case r.Run != nil && r.Run.Version != version:
			err = fmt.Errorf("version %d: this program knows %d", r.Run.Version, version)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		h.add(r)
	}
}

func (h *history) add(r record) {
	switch {
	case r.Run != nil:
		h.header = r.Run
	case r.Claim != nil:
		h.claims = append(h.claims, r.Claim...)
	case r.Knob != nil:
		h.changes = append(h.changes, *r.Knob)
	case r.Held:
		h.held = len(h.changes)
	case r.Service != nil:
		h.services = append(h.services, *r.Service)
	case r.Ended != 0:
		for i, s := range h.services {
			if s.PID == r.Ended {
				h.services = append(h.services[:i:i], h.services[i+1:]...)
				break
			}
		}
	case r.Folder != "":
		h.folders = append(h.folders, r.Folder)
	case r.Settled != "":
		h.folders = slices.DeleteFunc(h.folders, func(f string) bool { return f == r.Settled })
	}
}
