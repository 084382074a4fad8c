// SPDX-License-Identifier: Apache-2.0

package query

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kermit-trace/kermit/bpf"
)

// across holds the summaries across tables.
//
//go:embed *.sql
var across embed.FS

// Summary is a query that has a name.
type Summary struct {
	Name string
	Doc  string // one line
	SQL  string
}

// neededTables is the comment line that names them; see the package comment.
var neededTables = regexp.MustCompile(`(?m)^-- needs: (.*)$`)

// Summaries lists the summaries across tables, then those of the rooms.
func Summaries() ([]Summary, error) { return summaries(across, bpf.Rooms) }

func summaries(shelves ...fs.FS) ([]Summary, error) {
	var list []Summary
	for _, shelf := range shelves {
		for _, pattern := range []string{"*.sql", "*/*.sql"} {
			names, err := fs.Glob(shelf, pattern)
			if err != nil {
				return nil, fmt.Errorf("list summaries: %w", err)
			}
			for _, name := range names {
				text, err := fs.ReadFile(shelf, name)
				if err != nil {
					return nil, fmt.Errorf("read summary: %w", err)
				}
				list = append(list, Summary{strings.TrimSuffix(path.Base(name), ".sql"), firstComment(string(text)), string(text)})
			}
		}
	}
	return list, nil
}

// firstComment is the first line that says something, the license aside.
func firstComment(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "--"))
		if line != "" && !strings.HasPrefix(line, "SPDX-") {
			return strings.TrimSuffix(line, ".")
		}
	}
	return ""
}

// missingTable finds the name in DuckDB's words.
var missingTable = regexp.MustCompile(`Table with name "?(\w+)"? does not exist`)

// MissingTableError says that a summary's table was not recorded.
type MissingTableError struct {
	Table    string
	Where    string   // the paths that were opened
	Recorded []string // the tables that are there
}

func (e *MissingTableError) Error() string {
	return fmt.Sprintf("no table %s in %s; recorded: %s", e.Table, e.Where, strings.Join(e.Recorded, ", "))
}

// UnknownProcessError says that no recorded process has the name.
type UnknownProcessError struct {
	Name     string
	Recorded []string
}

func (e *UnknownProcessError) Error() string {
	return fmt.Sprintf("no process %q was recorded", e.Name)
}

// Summarize makes a summary's views and returns the query to run.
func (d *DB) Summarize(ctx context.Context, s Summary) (Query, error) {
	var missing []string
	if m := neededTables.FindStringSubmatch(s.SQL); m != nil {
		for _, t := range strings.Split(m[1], ",") {
			if t = strings.TrimSpace(t); len(d.recorded(t)) == 0 {
				missing = append(missing, t)
			}
		}
	}
	if len(missing) == 0 {
		if _, err := d.provide(ctx, s.SQL); err != nil {
			return Query{}, fmt.Errorf("summary %s: %w", s.Name, err)
		}
		_, err := d.check(ctx, s.SQL)
		if m := missingTable.FindStringSubmatch(fmt.Sprint(err)); isMissing(err) && m != nil {
			missing = append(missing, m[1])
		} else if err != nil {
			return Query{}, fmt.Errorf("summary %s: %w", s.Name, err)
		}
	}
	if len(missing) > 0 {
		return Query{}, &MissingTableError{missing[0], d.where(), d.Tables()}
	}
	return Query{text: s.SQL, hideID: !d.Several()}, nil
}

// Parameters of the summary rss. Zero values are not set.
type Parameters struct {
	Process  string // name
	PID      int64
	WindowNS int64
}

// Set makes p the parameters of the queries to come. It fails with an
// [UnknownProcessError] where no process has the name.
func (d *DB) Set(ctx context.Context, p Parameters) error {
	if p.Process != "" {
		if len(d.recorded("process_trace")) == 0 {
			return &MissingTableError{"process_trace", d.where(), d.Tables()}
		}
		if err := d.findProcess(ctx, p.Process); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"process":   quoteText(p.Process),
		"pid":       strconv.FormatInt(p.PID, 10),
		"window_ns": strconv.FormatInt(p.WindowNS, 10),
	} {
		if value == "0" || value == "''" {
			continue
		}
		if err := d.exec(ctx, "SET VARIABLE "+name+" = "+value); err != nil {
			return fmt.Errorf("set parameter %s: %w", name, err)
		}
	}
	return nil
}

// findProcess checks that a process has the name.
func (d *DB) findProcess(ctx context.Context, name string) error {
	const text = "SELECT DISTINCT name FROM process WHERE name IS NOT NULL ORDER BY name"
	if _, err := d.provide(ctx, text); err != nil {
		return err
	}
	rows, err := d.conn.QueryContext(ctx, text)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return fmt.Errorf("list processes: %w", err)
		}
		names = append(names, n)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	if slices.Contains(names, name[:min(len(name), maxComm)]) {
		return nil
	}
	return &UnknownProcessError{name, names}
}

// maxComm is what the kernel keeps of a process's name: TASK_COMM_LEN - 1 bytes.
const maxComm = 15
