// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"
)

const builtWithout = `# Automatically generated file; DO NOT EDIT.
CONFIG_BPF_SYSCALL=y
CONFIG_LSM="lockdown,y"
CONFIG_NETFILTER_BPF_LINK=m
CONFIG_BPF_EVENTS=n
# CONFIG_FUNCTION_TRACER is not set
`

func TestDoctorNamesOptionsThatTheKernelIsBuiltWithout(t *testing.T) {
	asked := []string{"CONFIG_BPF_SYSCALL", "CONFIG_NETFILTER_BPF_LINK", "CONFIG_BPF_EVENTS", "CONFIG_FUNCTION_TRACER", "CONFIG_FUNCTION"}
	want := []string{"CONFIG_BPF_EVENTS", "CONFIG_FUNCTION_TRACER", "CONFIG_FUNCTION"}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(builtWithout)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{"plain": builtWithout, "packed": packed.String()} {
		set, err := parseConfig(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if got := (kernelConfig{"/proc/config.gz", set}).unset(asked); !slices.Equal(got, want) {
			t.Errorf("%s: unset are %v, want %v", form, got, want)
		}
	}
	if got := (kernelConfig{}).unset(asked); got != nil {
		t.Errorf("a configuration that cannot be read has %v unset", got)
	}
	if _, err := parseConfig(strings.NewReader("\x1f\x8bnonsense")); err == nil {
		t.Error("nonsense is a configuration")
	}
}
