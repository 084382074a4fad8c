// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/kermit-trace/kermit/internal/script"
)

func TestMain(m *testing.M) { script.Main(m) }

func TestScripts(t *testing.T) { script.Run(t, "testdata/*.txt") }
