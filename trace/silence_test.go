// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"encoding/binary"
	"os"
	"os/exec"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/kermit-trace/kermit/bpf"
)

// nfHookState is struct nf_hook_state, as a test run of a netfilter program
// takes it: hook and protocol family alone may be set (Linux 6.4,
// verify_and_copy_hook_state).
type nfHookState struct {
	Hook, PF uint8
	Rest     [46]byte // five pointers behind a hole
}

// A frame with a SYN from 127.0.0.1 to its port 9.
func frame() []byte {
	f := make([]byte, 14+20+20)
	ip, tcp := f[14:], f[34:]
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip[0], ip[8], ip[9] = 4<<4|5, 64, 6
	binary.BigEndian.PutUint16(ip[2:], 40)
	copy(ip[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	binary.BigEndian.PutUint16(tcp[2:], 9)
	tcp[12], tcp[13] = 5<<4, 2
	return f
}

// There are kernels that run no tracing program in an interrupt that stops the
// first process, and count none of them as missed. The program of netfilter
// runs alone then, as it does here.
func TestPacketThatNoTracingProgramSeesIsCountedAsLost(t *testing.T) {
	const packets = 3
	if !atLeast(6, 4) {
		return // netfilter takes no programs
	}
	if os.Geteuid() != 0 {
		out, err := exec.Command("sudo", "-n", os.Args[0], "-test.run", "^"+t.Name()+"$").CombinedOutput()
		if err != nil {
			t.Errorf("run by sudo: %v\n%s", err, out)
		}
		return
	}
	room := roomOf(t, "tcp_v4_rcv")
	s, err := Open(Options{Rooms: []*Room{room}, Source: map[string]string{room.Name: "netfilter"}, RingSize: 1 << 20, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := s.probes[0]
	p.detach() // the machine's own packets are not wanted
	s.setControl(true, nil)
	for range packets {
		run := ebpf.RunOptions{Data: frame(), Context: nfHookState{Hook: 1, PF: 2}} // LOCAL_IN of IPv4
		if _, err := p.programs["on_local_in"].Run(&run); err != nil {
			t.Fatal(err)
		}
	}
	if c := p.tables[0].counters(); c != (Counters{Seen: 2 * packets, Emitted: packets, LostOther: packets}) {
		t.Errorf("%d packets are counted as %+v", packets, c)
	}
}

func roomOf(t *testing.T, name string) *Room {
	t.Helper()
	rooms, err := Rooms(bpf.Rooms)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range rooms {
		if room.Name == name {
			return room
		}
	}
	t.Fatalf("there is no room %s", name)
	return nil
}
