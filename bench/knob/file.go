// SPDX-License-Identifier: Apache-2.0

package knob

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// State is what a setting's file shows.
type State struct {
	Value   string   // in force
	Choices []string // all that it may be, where the file shows them
}

// Resolve follows symbolic links to a setting's file, which must lie below
// /proc/sys or /sys.
func Resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	switch {
	case err != nil:
		return "", err
	case !strings.HasPrefix(resolved, "/proc/sys/") && !strings.HasPrefix(resolved, "/sys/"):
		return "", fmt.Errorf("%s: settings lie below /proc/sys and /sys", path)
	}
	info, err := os.Stat(resolved)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a file", path)
	}
	return resolved, err
}

// most is what a setting may be long: a page, as sysfs has it.
const most = 4096

// choice is the one in brackets among others: "always [madvise] never".
var choice = regexp.MustCompile(`^(?:\S+ )*\[(\S+)\](?: \S+)*$`)

// Read reads a setting from its file.
func Read(path string) (State, error) {
	path, err := Resolve(path)
	if err != nil {
		return State{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return State{}, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return State{}, err
	}
	text := strings.TrimRight(string(data), "\n")
	if len(data) > most || strings.ContainsAny(text, "\n\x00") {
		return State{}, fmt.Errorf("%s: not a setting: it shows more than one line", path)
	}
	line := strings.TrimRight(text, " ") // lists of words may end with a blank
	if m := choice.FindStringSubmatch(line); m != nil && strings.Count(line, "[") == 1 {
		return State{m[1], strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(line))}, nil
	}
	return State{Value: text}, nil
}

// Write writes a setting to its file, in one call.
func Write(path, value string) error {
	path, err := Resolve(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

// Same tells whether two values of a setting mean the same.
func Same(a, b string) bool {
	if slices.Equal(strings.Fields(a), strings.Fields(b)) {
		return true
	}
	n, err := strconv.ParseInt(strings.TrimSpace(a), 0, 64) // 0: the kernel takes 0x10 and 020 for 16, too
	m, err2 := strconv.ParseInt(strings.TrimSpace(b), 0, 64)
	if err == nil && err2 == nil {
		return n == m
	}
	return yesNo(a) != "" && yesNo(a) == yesNo(b)
}

// yesNo is how the kernel shows a flag of a module.
func yesNo(s string) string {
	switch strings.TrimSpace(s) {
	case "Y", "y", "1":
		return "Y"
	case "N", "n", "0":
		return "N"
	}
	return ""
}
