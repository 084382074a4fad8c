// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kermit-trace/kermit/query/fixture"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"kstat":  main,
		"record": record,
	})
}

// record DIR TEXT… adds each text of package fixture to the dataset DIR.
func record() {
	for _, name := range os.Args[2:] {
		text, err := os.ReadFile(name)
		if err == nil {
			_, err = fixture.Write(os.Args[1], string(text))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "record:", err)
			os.Exit(1)
		}
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("TMPDIR", e.WorkDir) // what is spilled would be seen
		return nil
	}})
}

// Every command has a line of help, and the summaries show their SQL.
func TestHelpNamesEverySummary(t *testing.T) {
	list, err := commands()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"processes", "rss", "faults", "tcp", "tables", "describe", "views", "sql", "page_fault", "mm_rss_stat", "process_trace", "tcp_v4_rcv"} {
		found := false
		for _, c := range list {
			if c.Name == name {
				found = c.Usage != ""
			}
		}
		if !found {
			t.Errorf("no command %s with a line of help", name)
		}
	}
	for _, c := range list {
		own := slices.Contains([]string{"tables", "describe", "views", "sql"}, c.Name)
		if !own && !strings.Contains(c.Description, "SELECT") {
			t.Errorf("%s does not show its SQL", c.Name)
		}
	}
}
