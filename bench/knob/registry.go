// SPDX-License-Identifier: Apache-2.0

package knob

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// knob is a setting that has a name of its own. Its words are those that the
// file shows with brackets, or words, or those in the file allowed; without any
// it is a number from least to most.
type knob struct {
	name    string
	files   string // pattern of the files that take the value
	words   []string
	allowed string // file beside each that lists the words it takes
	least   int64
	most    int64
	once    bool   // done rather than set: it cannot be read, nor put back
	missing string // why the file may not be there
}

const thp = "/sys/kernel/mm/transparent_hugepage/"

const noTHP = "this kernel has no transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE)"

// registry holds the knobs with names.
var registry = []knob{
	{name: "transparent_hugepages", files: thp + "enabled", missing: noTHP},
	{name: "transparent_hugepages_defrag", files: thp + "defrag", missing: noTHP},
	{name: "khugepaged_scan_sleep_millis", files: thp + "khugepaged/scan_sleep_millisecs",
		most: 1<<32 - 1, missing: noTHP}, // kstrtouint in mm/khugepaged.c
	{name: "overcommit_memory", files: "/proc/sys/vm/overcommit_memory",
		words: []string{"heuristic", "never_check", "always_check"}, missing: noProc}, // the kernel's numbers by position
	{name: "swappiness", files: "/proc/sys/vm/swappiness",
		most: 200, missing: "this kernel has no swap (CONFIG_SWAP)"}, // 100 before Linux 5.8
	{name: "cpu_governor", files: "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
		allowed: "scaling_available_governors", missing: "no driver scales this machine's CPUs; virtual machines have none"},
	{name: "drop_caches", files: dropCaches, least: 1, most: 3, once: true, missing: noProc},
}

const dropCaches = "/proc/sys/vm/drop_caches"

const noProc = "mount proc: mount -t proc proc /proc"

// twins are settings of which one is in force: the kernel clears the other when
// one is written (dirty_bytes_handler in mm/page-writeback.c,
// overcommit_kbytes_handler in mm/util.c).
var twins = func() map[string]string {
	all := map[string]string{}
	for a, b := range map[string]string{
		"dirty_ratio": "dirty_bytes", "dirty_background_ratio": "dirty_background_bytes",
		"overcommit_ratio": "overcommit_kbytes",
	} {
		a, b = "/proc/sys/vm/"+a, "/proc/sys/vm/"+b
		all[a], all[b] = b, a
	}
	return all
}()

// names of the registry.
func names() []string {
	var all []string
	for _, k := range registry {
		all = append(all, k.name)
	}
	return all
}

// find returns the knob of a name: one of the registry, or a file.
func find(name string) (knob, error) {
	if i := slices.IndexFunc(registry, func(k knob) bool { return k.name == name }); i >= 0 {
		return registry[i], nil
	}
	path, sysctl := name, !filepath.IsAbs(name)
	if sysctl {
		if !strings.ContainsAny(name, "./") {
			return knob{}, &Error{Knob: name, Err: errUnknown, Given: name, Known: names()}
		}
		path = sysctlFile(name)
	}
	if strings.ContainsAny(path, `*?[\`) { // a pattern is no name
		return knob{}, &Error{Knob: name, Err: errUnknown, Given: name, Known: names()}
	}
	k := knob{name: name, files: path, once: filepath.Clean(path) == dropCaches}
	if k.once {
		k.least, k.most = 1, 3
	}
	if _, err := os.Stat(path); sysctl && err != nil {
		return knob{}, &Error{Knob: name, Err: errUnknown, Given: name, Known: siblings(name)}
	}
	return k, nil
}

// sysctlFile is the file of a sysctl, by the rule of sysctl(8): where the first
// separator is a dot, dots part folders and a slash stands for a dot in a name
// (net.ipv4.conf.eth0/1.rp_filter).
func sysctlFile(name string) string {
	if first := strings.IndexAny(name, "./"); name[first] == '.' {
		name = strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	return filepath.Join("/proc/sys", name)
}

// siblings are the sysctls that a wrong name may have meant: those in its
// folder.
func siblings(name string) []string {
	last := strings.LastIndexAny(name, "./")
	entries, err := os.ReadDir(filepath.Dir(sysctlFile(name)))
	if err != nil {
		return names()
	}
	var all []string
	for _, e := range entries {
		all = append(all, name[:last+1]+e.Name())
	}
	return all
}
