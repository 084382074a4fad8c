// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user whom every machine has, as one who has called sudo.
const nobody = "65534"

func calledBy(c *exec.Cmd) {
	c.Env = append(c.Environ(), "SUDO_UID="+nobody, "SUDO_GID="+nobody, "SUDO_USER=nobody")
}

// asUser has kbench run as a user without root's rights.
func asUser(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
}

const tellsRights = `
doc: tells who runs it, and whose its files are
files: {sub/conf: x}
services:
  - name: plain
    command: [sh, -c, "echo serves; exec sleep 1000"]
    ready: {timeout: 2s, command: [id, -u], output: '^65534\n$'}
    on_stop: [sh, -c, "[ $(id -u) = 65534 ]"]
  - name: high
    root: true
    command: [sh, -c, "touch high; exec sleep 1000"]
    ready: {command: [sh, -c, "[ -e high ] && id -u"], timeout: 2s, output: '^0\n$'}
    on_stop: [sh, -c, "[ $(id -u) = 0 ]"]
phases:
  - {name: plain, command: [sh, -c, "touch made; echo plain $(id -u) $(id -G) $USER $LOGNAME $HOME; grep CapEff /proc/self/status; stat -c '%n %u %g' . sub sub/conf made plain.log high"]}
  - {name: high, root: true, command: [sh, -c, "echo high $(id -u) $(id -G)"]}
`

// TestWorkloadsHaveTheRightsOfWhoCalledSudo: and their files are that user's,
// but for what says that it runs as root.
func TestWorkloadsHaveTheRightsOfWhoCalledSudo(t *testing.T) {
	if !asRoot(t) {
		return
	}
	file, _ := described(t, tellsRights)
	r := start(t, nil, []string{"run", file, "--state", t.TempDir()}, withoutTerminal, aside(t), calledBy).wait()
	r.expect(t, 0,
		"plain 65534 65534 nobody nobody /nonexistent\nCapEff:\t0000000000000000\n",
		". 65534 65534\nsub 65534 65534\nsub/conf 65534 65534\nmade 65534 65534\nplain.log 65534 65534\nhigh 0 0\n",
		"high 0 0\nhigh 0 0\n")
	root, _ := described(t, strings.Replace(tellsRights, "doc:", "root: true\ndoc:", 1))
	r = start(t, nil, []string{"run", root, "--state", t.TempDir()}, withoutTerminal, aside(t), calledBy).wait()
	r.expect(t, 125, "service plain: not ready after 2s: id -u printed \"0\"")
}

// TestProgramsCanOpenTheirOutput: by its name, as who has not made the pipe.
func TestProgramsCanOpenTheirOutput(t *testing.T) {
	if !asRoot(t) {
		return
	}
	file, _ := described(t, `
doc: prints by name
phases: [{name: run, command: [sh, -c, "echo x=5 > /dev/stdout; (sleep 1000 &); echo y=6"], results: [{metric: x, pattern: '^x=(\d)'}, {metric: y, pattern: '^y=(\d)'}]}]
`)
	r := start(t, nil, []string{"run", file, "--state", t.TempDir()}, withoutTerminal, aside(t), calledBy).wait()
	r.expect(t, 0, "x=5\ny=6\n")
}

// TestCommandHasTheRightsOfWhoCalledSudo unless it is to have root's.
func TestCommandHasTheRightsOfWhoCalledSudo(t *testing.T) {
	if !asRoot(t) {
		return
	}
	for flag, want := range map[string]string{"": "as " + nobody + "\n", "--root": "as 0\n"} {
		args := append([]string{"exec"}, strings.Fields(flag+" -- sh -c")...)
		start(t, nil, append(args, "echo as $(id -u)"), withoutTerminal, calledBy).wait().expect(t, 0, want)
	}
}

// TestRootIsNotGivenToUsers: a workload that wants root's rights does not start
// without them.
func TestRootIsNotGivenToUsers(t *testing.T) {
	for what, text := range map[string]string{
		"workload mine: ": "doc: x\nroot: true\nphases: [{name: run, command: [touch, AT/ran]}]\n",
		"service server: ": "doc: x\nservices: [{name: server, root: true, command: [sleep, 9], ready: {command: [true]}}]\n" +
			"phases: [{name: run, command: [touch, AT/ran]}]\n",
		"phase run: ": "doc: x\nphases: [{name: run, root: true, command: [touch, AT/ran]}]\n",
	} {
		file, dir := described(t, text)
		check(t, os.Chmod(filepath.Dir(dir), 0o711))
		r := start(t, nil, []string{"run", file}, asUser).wait()
		r.expect(t, 2, what+"runs as root: call kbench as root, or by sudo")
		if exists(filepath.Join(dir, "ran")) {
			t.Errorf("%sit ran", what)
		}
	}
}

// TestProcessThatCannotBeEndedIsAnError: a user's workload has started one that
// has made itself root's.
func TestProcessThatCannotBeEndedIsAnError(t *testing.T) {
	if !asRoot(t) {
		return
	}
	file, dir := described(t, `
doc: leaves a process of root's behind
phases: [{name: run, command: [sh, -c, "env -i setsid -f AT/become --reuid 0 --regid 0 --clear-groups /bin/sleep 10; sleep 0.3"]}]
`)
	setpriv, err := os.ReadFile("/usr/bin/setpriv")
	check(t, err)
	become := filepath.Join(dir, "become")
	check(t, os.WriteFile(become, setpriv, 0o755))
	check(t, os.Chmod(become, 0o755|os.ModeSetuid))
	own := t.TempDir() // the user's
	check(t, os.Chmod(filepath.Dir(dir), 0o711))
	check(t, os.Chown(own, 65534, 65534))
	where := func(c *exec.Cmd) { c.Env = append(os.Environ(), "TMPDIR="+own) }
	r := start(t, nil, []string{"run", file, "--state", own}, withoutTerminal, where, asUser).wait()
	r.expect(t, 125, "end sleep (pid ", "it still runs")
}
