// SPDX-License-Identifier: Apache-2.0

// Package invoker is the user who called sudo: whose programs run with that
// user's rights, and to whom the files belong that a command makes.
package invoker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// User is the user who called sudo.
type User struct {
	UID, GID int
	Groups   []int  // all of the user's, GID included
	Name     string // "" where no name is known
	Home     string // likewise
}

// ids are SUDO_UID and SUDO_GID, which sudo(8) sets; ok is false where this is
// not root, where there was no sudo, and where root has called it.
func ids() (uid, gid int, ok bool) {
	uid, errUID := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, errGID := strconv.Atoi(os.Getenv("SUDO_GID")) // a text that is no number is not sudo's
	return uid, gid, os.Geteuid() == 0 && errUID == nil && errGID == nil && uid > 0 && gid >= 0
}

// Find returns the user who called sudo, nil if nobody has. A user whom the
// machine's own files do not know (of a directory service, say) has one group
// and no home.
func Find() (*User, error) {
	uid, gid, ok := ids()
	if !ok {
		return nil, nil
	}
	u := &User{UID: uid, GID: gid, Groups: []int{gid}, Name: os.Getenv("SUDO_USER")}
	known, err := user.LookupId(strconv.Itoa(uid))
	var unknown user.UnknownUserIdError
	switch {
	case errors.As(err, &unknown):
		return u, nil
	case err != nil:
		return nil, fmt.Errorf("find the user who called sudo: %w", err)
	}
	u.Name, u.Home = known.Username, known.HomeDir
	groups, err := known.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("find the groups of %s: %w", u.Name, err)
	}
	for _, id := range groups {
		if n, err := strconv.Atoi(id); err == nil && n != gid {
			u.Groups = append(u.Groups, n)
		}
	}
	return u, nil
}

// Credential makes a child process run as the user.
func (u *User) Credential() *syscall.Credential {
	c := &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}
	for _, g := range u.Groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}

// Env is what in a child's environment tells who runs it, NAME=value.
func (u *User) Env() []string {
	var env []string
	for name, value := range map[string]string{"USER": u.Name, "LOGNAME": u.Name, "HOME": u.Home} {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Give gives a file to the user who called sudo, if anybody has.
func Give(path string) error {
	uid, gid, ok := ids()
	if !ok {
		return nil
	}
	return os.Lchown(path, uid, gid)
}

// GiveAll gives a folder and all that is in it.
func GiveAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return Give(path)
	})
}

// MakeDirs is [os.MkdirAll] that gives the folders that it makes.
func MakeDirs(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := MakeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return Give(dir)
}
