// SPDX-License-Identifier: Apache-2.0

package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/kermit-trace/kermit/cmd/internal/command"
)

// The test binary is the command "demo" (an app that needs a subcommand) or
// "solo" (one that does not) when it is called by such a name.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "demo":
		command.Main(context.Background(), demo())
	case "solo":
		command.Main(context.Background(), solo())
	}
	os.Exit(m.Run())
}

// show prints what a command got, each argument in brackets.
func show(c *cli.Context) error {
	_, err := fmt.Printf("%s: level=%q list=%q verbose=%t args=%q\n",
		c.Command.Name, c.String("level"), c.StringSlice("list"), c.Bool("verbose"), c.Args().Slice())
	return err
}

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "level", Aliases: []string{"l"}},
		&cli.StringSliceFlag{Name: "list"},
		&cli.DurationFlag{Name: "duration"},
		command.Verbose(),
	}
}

func demo() *cli.App {
	fail := map[string]error{
		"plain": errors.New("open x: no such file"),
		"usage": command.Usage("name one"),
		"hint":  command.Hint(errors.New("attach x: not permitted"), "try %s", "sudo"),
		"both":  fmt.Errorf("outer: %w", command.Hint(command.Usage("bad"), "do better")),
		"quiet": command.Exit(42, nil),
		"loud":  command.Exit(125, command.Hint(errors.New("job lost"), "look")),
	}
	return &cli.App{Name: "demo", Commands: []*cli.Command{
		{Name: "show", ArgsUsage: "[WORD …]", Flags: flags(), Action: show},
		{Name: "exec", ArgsUsage: "-- CMD [ARGS]", Flags: flags(), Action: func(c *cli.Context) error {
			if c.Bool("verbose") {
				return exec.Command(c.Args().First(), c.Args().Tail()...).Run()
			}
			return show(c)
		}},
		{Name: "fail", ArgsUsage: "HOW", Action: func(c *cli.Context) error { return fail[c.Args().First()] }},
	}}
}

func solo() *cli.App {
	return &cli.App{Name: "solo", Flags: flags(), Action: show, Commands: []*cli.Command{
		{Name: "doctor", Action: show}, {Name: "list", ArgsUsage: "[WORD …]", Flags: []cli.Flag{command.Verbose()}, Action: show},
	}}
}

// bin is a directory with demo and solo in it.
func bin(t *testing.T) string {
	t.Helper()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector waits a second at each exit
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"demo", "solo"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// call runs a command line of words between spaces, "~" for a space.
func call(t *testing.T, dir, line string) (stdout, stderr string, code int) {
	t.Helper()
	words := strings.Fields(line)
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "~", " ")
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, words[0]), words[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestFlagsAreAcceptedAnywhereUpToTwoDashes(t *testing.T) {
	dir := bin(t)
	for line, want := range map[string]string{
		"demo show a b":                                  `show: level="" list=[] verbose=false args=["a" "b"]`,
		"demo show --level 3 a b":                        `show: level="3" list=[] verbose=false args=["a" "b"]`,
		"demo show a --level 3 b":                        `show: level="3" list=[] verbose=false args=["a" "b"]`,
		"demo show a b --level=3":                        `show: level="3" list=[] verbose=false args=["a" "b"]`,
		"demo show a -l 3 -v b":                          `show: level="3" list=[] verbose=true args=["a" "b"]`,
		"demo show -v a":                                 `show: level="" list=[] verbose=true args=["a"]`,
		"demo show -verbose a":                           `show: level="" list=[] verbose=true args=["a"]`,
		"demo show a --verbose=false":                    `show: level="" list=[] verbose=false args=["a"]`,
		"demo show a -- --level 3":                       `show: level="" list=[] verbose=false args=["a" "--level" "3"]`,
		"demo show -v -- --level 3":                      `show: level="" list=[] verbose=true args=["--level" "3"]`,
		"demo show --level -- -v":                        `show: level="--" list=[] verbose=true args=[]`,
		"demo show - a":                                  `show: level="" list=[] verbose=false args=["-" "a"]`,
		"demo show --list a,b --list c~d x":              `show: level="" list=["a,b" "c d"] verbose=false args=["x"]`,
		"demo show --level a,b":                          `show: level="a,b" list=[] verbose=false args=[]`,
		"demo show --level=a=b":                          `show: level="a=b" list=[] verbose=false args=[]`,
		"demo show help":                                 `show: level="" list=[] verbose=false args=["help"]`,
		"demo show h":                                    `show: level="" list=[] verbose=false args=["h"]`,
		"demo show level --level 1":                      `show: level="1" list=[] verbose=false args=["level"]`,
		"solo --level 3 -v":                              `solo: level="3" list=[] verbose=true args=[]`,
		"solo a --level 3 b":                             `solo: level="3" list=[] verbose=false args=["a" "b"]`,
		"solo --level list list x -v":                    `list: level="list" list=[] verbose=true args=["x"]`,
		"solo list -v":                                   `list: level="" list=[] verbose=true args=[]`,
		"demo exec true":                                 `exec: level="" list=[] verbose=false args=["true"]`,
		"demo exec -- ls -la --level 3":                  `exec: level="" list=[] verbose=false args=["ls" "-la" "--level" "3"]`,
		"demo exec ls -la --level 3":                     `exec: level="" list=[] verbose=false args=["ls" "-la" "--level" "3"]`,
		"demo exec --level 3 ls --help":                  `exec: level="3" list=[] verbose=false args=["ls" "--help"]`,
		"demo exec --level 3 -- ls --help":               `exec: level="3" list=[] verbose=false args=["ls" "--help"]`,
		"demo exec ls -- -la":                            `exec: level="" list=[] verbose=false args=["ls" "--" "-la"]`,
		"demo exec -- sh -- -c x":                        `exec: level="" list=[] verbose=false args=["sh" "--" "-c" "x"]`,
		"demo exec help":                                 `exec: level="" list=[] verbose=false args=["help"]`,
		"demo show a -v -- x --generate-bash-completion": `show: level="" list=[] verbose=true args=["a" "x" "--generate-bash-completion"]`,
		"demo exec -- x --generate-bash-completion":      `exec: level="" list=[] verbose=false args=["x" "--generate-bash-completion"]`,
	} {
		stdout, stderr, code := call(t, dir, line)
		if stdout != want+"\n" || stderr != "" || code != 0 {
			t.Errorf("%s: exit %d\n got %s%swant %s", line, code, stdout, stderr, want)
		}
	}
}

func TestAMisuseIsOneLineAndAHint(t *testing.T) {
	dir := bin(t)
	for line, want := range map[string]string{
		"demo":                        "demo: no command: one of show, exec, fail, completion, help\ndemo: hint: demo --help\n",
		"demo shwo":                   "demo: unknown command \"shwo\"\ndemo: hint: did you mean demo show?\n",
		"demo nonsense":               "demo: unknown command \"nonsense\"\ndemo: hint: demo --help lists the commands\n",
		"solo doctr":                  "solo: unknown command \"doctr\"\nsolo: hint: did you mean solo doctor?\n",
		"demo show --nonsense":        "demo: unknown flag --nonsense\ndemo: hint: demo show --help\n",
		"demo show a --durtion 3s":    "demo: unknown flag --durtion\ndemo: hint: did you mean --duration? demo show --help\n",
		"demo show -x":                "demo: unknown flag -x\ndemo: hint: demo show --help\n",
		"solo --nonsense":             "solo: unknown flag --nonsense\nsolo: hint: solo --help\n",
		"solo --level a,b --duration": "solo: flag --duration needs a value\nsolo: hint: solo --help\n",
		"demo show x -l":              "demo: flag -l needs a value\ndemo: hint: demo show --help\n",
		"solo --duration soon":        "solo: flag --duration: invalid value \"soon\": parse error\nsolo: hint: solo --help\n",
		"solo --verbose=maybe":        "solo: flag --verbose: invalid boolean value \"maybe\": parse error\nsolo: hint: solo --help\n",
		"solo ---x":                   "solo: bad flag syntax: ---x\nsolo: hint: solo --help\n",
		"demo help nonsense":          "demo: no help topic for 'nonsense'\ndemo: hint: demo --help\n",
		"demo completion fish":        "demo: completion for \"fish\": bash or zsh\n",
		"demo completion":             "demo: name one shell: bash or zsh\ndemo: hint: demo completion --help\n",
		"solo doctor x":               "solo: unexpected argument \"x\"\nsolo: hint: solo doctor --help\n",
		"demo --level 3 show":         "demo: unknown flag --level\ndemo: hint: demo --help\n",
		"demo fail usage":             "demo: name one\n",
		"demo fail both":              "demo: outer: bad\ndemo: hint: do better\n",
	} {
		stdout, stderr, code := call(t, dir, line)
		if stderr != want || stdout != "" || code != 2 {
			t.Errorf("%s: exit %d\n got %s%s\nwant %s", line, code, stdout, stderr, want)
		}
	}
}

func TestAnErrorIsReportedWithItsCodeAndHint(t *testing.T) {
	dir := bin(t)
	for name, want := range map[string]struct {
		stderr string
		code   int
	}{
		"none":  {"", 0},
		"plain": {"demo: open x: no such file\n", 1},
		"hint":  {"demo: attach x: not permitted\ndemo: hint: try sudo\n", 1},
		"quiet": {"", 42},
		"loud":  {"demo: job lost\ndemo: hint: look\n", 125},
	} {
		stdout, stderr, code := call(t, dir, "demo fail "+name)
		if stderr != want.stderr || stdout != "" || code != want.code {
			t.Errorf("%s: exit %d, %s%s", name, code, stdout, stderr)
		}
	}
}

func TestHelpAndVersionGoToStdout(t *testing.T) {
	dir := bin(t)
	for line, says := range map[string]string{
		"demo --help":      "COMMANDS:",
		"demo -h":          "COMMANDS:",
		"demo help":        "COMMANDS:",
		"demo help show":   "demo show [command options]",
		"demo show --help": "--level value, -l value",
		"demo show a -h":   "--level value, -l value",
		"demo exec --help": "demo exec [command options] -- CMD [ARGS]",
		"solo --help":      "--duration value",
		"demo --version":   "demo dev\n",
		"solo --version":   "solo dev\n",
	} {
		stdout, stderr, code := call(t, dir, line)
		if !strings.Contains(stdout, says) || stderr != "" || code != 0 {
			t.Errorf("%s: exit %d, %q is not in\n%s%s", line, code, says, stdout, stderr)
		}
		if strings.Contains(stdout, "Incorrect") {
			t.Errorf("%s: %s", line, stdout)
		}
	}
}

func TestACallersErrorsKeepWhatTheyWrap(t *testing.T) {
	for _, err := range []error{command.Hint(io.EOF, "x"), command.Usage("a: %w", io.EOF), command.Exit(3, io.EOF)} {
		if !errors.Is(err, io.EOF) {
			t.Errorf("%v is not EOF", err)
		}
	}
}

func TestNearestIsATypoAwayOrContainsTheWord(t *testing.T) {
	names := []string{"page_fault", "mm_rss_stat", "process_trace", "tcp_v4_rcv", "list", "cat", "h"}
	for word, want := range map[string]string{
		"page_falt": "page_fault", "pagefault": "page_fault", "page_fault": "page_fault", "page-fault": "page_fault",
		"rss": "mm_rss_stat", "tcp": "tcp_v4_rcv", "process": "process_trace", "lst": "list", "lsit": "list",
		"": "", "x": "", "ab": "", "zebra": "", "dog": "",
	} {
		if got := command.Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
