// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// addModules copies the modules of a kernel that fetch has brought, and what
// they depend on. One that it does not have as a file is taken for built in:
// the virtual machine shows whether it is.
func addModules(root, kernel string) error {
	release, err := os.ReadFile(filepath.Join(kernel, "version"))
	if err != nil {
		return err
	}
	to := filepath.Join(root, "lib/modules", strings.TrimSpace(string(release)))
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	files, err := moduleFiles(filepath.Join(kernel, "modules"))
	if err != nil {
		return err
	}
	wanted := append([]string(nil), modules...)
	for len(wanted) > 0 {
		name := wanted[0]
		wanted = wanted[1:]
		path, ok := files[name]
		if !ok {
			continue
		}
		delete(files, name)
		module, err := readModule(path)
		if err != nil {
			return fmt.Errorf("read module %s: %w", path, err)
		}
		if err := os.WriteFile(filepath.Join(to, name+".ko"), module, 0o644); err != nil {
			return err
		}
		needed, err := dependencies(module)
		if err != nil {
			return fmt.Errorf("read dependencies of module %s: %w", path, err)
		}
		wanted = append(wanted, needed...)
	}
	return nil
}

// moduleFiles finds every module under dir, by its name.
func moduleFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		name, _, ok := strings.Cut(filepath.Base(path), ".ko")
		if ok {
			files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	return files, err
}

func readModule(path string) ([]byte, error) {
	if strings.HasSuffix(path, ".xz") {
		return exec.Command("xz", "-dc", path).Output()
	}
	return os.ReadFile(path)
}

// dependencies reads the names of the modules that a module's own section says
// it needs.
func dependencies(module []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if names, ok := strings.CutPrefix(entry, "depends="); ok && names != "" {
			return strings.Split(names, ","), nil
		}
	}
	return nil, nil
}
