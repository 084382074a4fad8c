// SPDX-License-Identifier: Apache-2.0

package knob_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kermit-trace/kermit/bench/knob"
	"go.yaml.in/yaml/v3"
)

func TestSettingsKeepTheirOrderAndAreReadAsWritten(t *testing.T) {
	set, err := knob.Parse([]string{"vm.swappiness=10", "kernel.core_pattern=|/bin/x a=b", "a= 1 "})
	want := knob.Set{{"vm.swappiness", "10"}, {"kernel.core_pattern", "|/bin/x a=b"}, {"a", "1"}}
	if err != nil || !slices.Equal(set, want) {
		t.Errorf("%v %v", set, err)
	}
	var file struct{ Knobs knob.Set }
	err = yaml.Unmarshal([]byte("knobs:\n  z: never\n  b: 010\n  c: no\n  a: null\n  d:\n  e: 1 2 3\n"), &file)
	want = knob.Set{{"z", "never"}, {"b", "010"}, {"c", "no"}, {"a", "no_change"}, {"d", "no_change"}, {"e", "1 2 3"}}
	if err != nil || !slices.Equal(file.Knobs, want) {
		t.Errorf("%v %v", file.Knobs, err)
	}
}

func TestWhatIsNoSettingIsRefusedWithItsLine(t *testing.T) {
	for text, says := range map[string]string{
		"swappiness":                     `setting "swappiness": not of the form NAME=VALUE`,
		"=1":                             `setting "=1": not of the form NAME=VALUE`,
		"swappiness=":                    "knob swappiness: no value",
		"a=1\n2":                         "knob a: a value is one line",
		"a=1 a=2":                        "knob a: set twice",
		"knobs: [1]":                     "line 1: settings are a mapping of names to values",
		"knobs: 3":                       "line 1: settings are a mapping of names to values",
		"x: 1\nknobs:\n  a: 1\n  b: [2]": "line 4: setting b: its value is a text or a number",
		"x: 1\nknobs:\n  a: 1\n  a: 2":   "line 4: knob a: set twice",
		"x: 1\nknobs:\n  a: ''":          "line 3: knob a: no value",
	} {
		var err error
		if strings.Contains(text, "knobs:") {
			var file struct{ Knobs knob.Set }
			err = yaml.Unmarshal([]byte(text), &file)
		} else {
			words := []string{text}
			if text == "a=1 a=2" {
				words = strings.Fields(text)
			}
			_, err = knob.Parse(words)
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: the error is %v", text, err)
		}
	}
}

func TestLaterSettingsOfTheSameFileTakeThePlace(t *testing.T) {
	set := knob.Set{{"swappiness", "10"}, {"vm.dirty_ratio", "20"}, {"nonsense", "1"}}
	got := set.With(knob.Set{{"/proc/sys/vm/swappiness", "30"}, {"nonsense", "2"}, {"drop_caches", "3"}})
	want := knob.Set{{"/proc/sys/vm/swappiness", "30"}, {"vm.dirty_ratio", "20"}, {"nonsense", "2"}, {"drop_caches", "3"}}
	if !slices.Equal(got, want) || set[0].Value != "10" {
		t.Errorf("%v", got)
	}
}

func TestTheSameValueInOtherWords(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"1 2 3", "1\t2\t3", true}, {"0x10", "16", true}, {"never", "never ", true}, {"Y", "1", true}, {"N", "0", true},
		{"1", "2", false}, {"1 2", "12", false}, {"Y", "0", false}, {"never", "always", false}, {"", "0", false},
	} {
		if knob.Same(c.a, c.b) != c.same || knob.Same(c.b, c.a) != c.same {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}
