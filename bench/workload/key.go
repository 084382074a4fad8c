// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/kermit-trace/kermit/bench"
	"go.yaml.in/yaml/v3"
)

// KeyError is the error for a key of a file that its part of the file has not.
type KeyError struct {
	Line  int
	Key   string
	Of    string   // what the part is
	Known []string // keys that it has
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("line %d: unknown key %q of a %s", e.Line, e.Key, e.Of)
}

// goField is what the YAML package says of a key that a struct has not.
var goField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type workload\.(\w+)$`)

// plain takes the words of Go out of what the YAML package says of a file.
func plain(err error, data []byte) error {
	var key *KeyError
	var types *yaml.TypeError
	switch {
	case errors.As(err, &key):
		return key
	case !errors.As(err, &types):
		line, text := bench.BrokenYAML(err, data)
		return fmt.Errorf("line %d: %s", line, text)
	}
	err = nil
	for _, text := range types.Errors {
		next := errors.New(text)
		if m := goField.FindStringSubmatch(text); m != nil {
			line, _ := strconv.Atoi(m[1]) // digits
			next = &KeyError{line, m[2], strings.ToLower(m[3]), keysOf(reflect.TypeFor[Workload](), m[3])}
		}
		if err == nil {
			err = next
		} else {
			err = fmt.Errorf("%w; %w", err, next)
		}
	}
	return err
}

// keysOf finds the keys of the struct of a name: t, or what t has.
func keysOf(t reflect.Type, name string) []string {
	var keys []string
	for f := range t.Fields() {
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		keys = append(keys, key)
		part := f.Type
		if part.Kind() == reflect.Slice {
			part = part.Elem()
		}
		if t.Name() == name || part.Kind() != reflect.Struct || part == t {
			continue
		}
		if found := keysOf(part, name); found != nil {
			return found
		}
	}
	if t.Name() != name {
		return nil
	}
	return keys
}
