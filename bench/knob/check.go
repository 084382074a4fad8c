// SPDX-License-Identifier: Apache-2.0

package knob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Error is what is wrong with a setting.
type Error struct {
	Knob  string
	Err   error
	Hint  string   // what the user can try; may be empty
	Given string   // a word that is not one of Known
	Known []string // names or values that could have been meant
}

func (e *Error) Error() string { return fmt.Sprintf("knob %s: %v", e.Knob, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

var errUnknown = errors.New("no such setting: not one of kbench's, no sysctl, no file below /proc/sys or /sys")

// plan is a setting that can be applied.
type plan struct {
	knob
	value string   // as the kernel wants it
	paths []string // resolved
}

// Check tells why the settings cannot be applied, as far as can be known
// without doing it. The error is an [*Error].
func (s Set) Check() error {
	_, err := s.plans()
	return err
}

// plans checks the settings that change something.
func (s Set) plans() ([]plan, error) {
	var all []plan
	taken := map[string]string{}
	for _, setting := range s {
		k, err := find(setting.Name)
		if err != nil {
			return nil, err
		}
		if setting.Value == NoChange {
			continue
		}
		p, err := k.plan(setting.Value)
		if err != nil {
			return nil, err
		}
		for _, path := range p.claims() {
			if by, ok := taken[path]; ok {
				return nil, &Error{Knob: k.name, Err: fmt.Errorf("changes the same as %s", by)}
			}
			taken[path] = k.name
		}
		all = append(all, p)
	}
	// Who may not set anything is told first what would be wrong for anybody.
	for _, p := range all {
		for _, path := range p.paths {
			if err := writable(path); err != nil {
				return nil, p.explain(err)
			}
		}
	}
	return all, nil
}

// plan checks a value, and whether each file knows it.
func (k knob) plan(value string) (plan, error) {
	p := plan{knob: k, value: value}
	files, err := filepath.Glob(k.files)
	if err != nil || len(files) == 0 {
		return p, &Error{Knob: k.name, Err: fmt.Errorf("%s: %w", k.files, fs.ErrNotExist), Hint: k.missing}
	}
	for _, file := range files {
		path, err := Resolve(file)
		if err != nil {
			return p, k.explain(err)
		}
		if p.value, err = k.accept(path, value); err != nil {
			return p, err
		}
		p.paths = append(p.paths, path)
	}
	return p, nil
}

// accept returns the value in the kernel's words, if the file takes it.
func (k knob) accept(path, value string) (string, error) {
	if k.once {
		return value, k.inRange(value)
	}
	now, err := Read(path)
	if err != nil {
		return "", k.explain(err)
	}
	choices := now.Choices
	if k.allowed != "" {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), k.allowed))
		if err != nil {
			return "", k.explain(err)
		}
		choices = strings.Fields(string(text))
	}
	if number := slices.Index(k.words, value); number >= 0 {
		return strconv.Itoa(number), nil
	}
	_, wants := strconv.ParseInt(now.Value, 0, 64)
	_, given := strconv.ParseInt(value, 0, 64)
	switch {
	case choices != nil && !slices.Contains(choices, value):
		return "", k.oneOf(value, choices)
	case k.words != nil:
		return "", k.oneOf(value, k.words)
	case k.most > 0:
		return value, k.inRange(value)
	case choices == nil && wants == nil && given != nil:
		return "", &Error{Knob: k.name, Err: fmt.Errorf("%q is not a number; now it is %s", value, now.Value)}
	}
	return value, nil
}

func (k knob) oneOf(value string, words []string) error {
	return &Error{Knob: k.name, Given: value, Known: words,
		Err: fmt.Errorf("%q is not one of %s", value, strings.Join(append(slices.Clone(words), NoChange), ", "))}
}

func (k knob) inRange(value string) error {
	if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < k.least || n > k.most {
		return &Error{Knob: k.name, Err: fmt.Errorf("%q is not a number from %d to %d", value, k.least, k.most)}
	}
	return nil
}

// writable opens the file as a write would, which changes nothing in these
// file systems.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// explain adds what would help.
func (k knob) explain(err error) error {
	hint := ""
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = k.missing
	case errors.Is(err, syscall.EROFS):
		hint = "/proc/sys or /sys is mounted read-only, as in containers: run it outside"
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		hint = "run it as root: sudo"
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &path) && path.Op == "open":
		hint = mode(path.Path)
	}
	return &Error{Knob: k.name, Err: err, Hint: hint}
}

// mode says why root cannot open a file.
func mode(path string) string {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return ""
	case info.Mode().Perm()&0o222 == 0:
		return "the kernel lets nobody write it"
	case info.Mode().Perm()&0o444 == 0:
		return "the kernel lets nobody read it, so it could not be put back"
	}
	return "a capability is missing, as in containers: run it outside"
}
