// SPDX-License-Identifier: Apache-2.0

package trace_test

import (
	"testing"

	"github.com/kermit-trace/kermit/internal/script"
)

func TestMain(m *testing.M) { script.Main(m) }

// Each room's script compares its tables with an independent witness.
func TestRoomsAgreeWithTheirWitness(t *testing.T) { script.Run(t, "../bpf/*/*.txt") }
