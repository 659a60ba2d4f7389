package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is given as paths to the commands below rules: each is read once, walked and named, or the command says what to give instead.
func TestRulesPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	other := strings.NewReplacer("Busy", "Other", "uid: busy", "uid: other", "name: g", "name: h").Replace(testedRule)
	write("own/a.yaml", testedRule)
	write("own/深/告警.yml", other)
	write("own/深/compose.yaml", "services: {}\n")
	write("own/a.test.yaml", testsOfIt)
	write("twin/a.yaml", other)
	write("broken/a.yaml", "groups: [\n")
	write("tool", "")
	require.NoError(t, os.MkdirAll("empty", 0o700))
	require.NoError(t, os.MkdirAll("out", 0o700))
	const url = "http://127.0.0.1:1"
	for _, c := range []struct {
		args, stdin string
		code        int
		want        string
	}{
		{args: "check own", want: "0 problems in 2 files, 2 rules\n"},
		{args: "check own", want: "passed over own/深/compose.yaml: no alert rules in it\n"},
		{args: "check own own ./own/a.yaml", want: "0 problems in 2 files, 2 rules\n"},
		{args: "check -", stdin: testedRule, want: "0 problems in 1 file, 1 rule\n"},
		{args: "check broken", code: exitFailed, want: "broken/a.yaml:1:1: error: "},
		{args: "check nosuch", code: exitFailed, want: "nosuch: no such file or directory"},
		{args: "check empty", code: exitFailed, want: "there is no rule file (*.yaml, *.yml, *.rules) in empty"},
		{args: "check", code: exitFailed, want: "there is no alerts/ here; name rule files"},
		{args: "test", code: exitFailed, want: "there is no alerts/ here; name rule files"},
		{args: "mutate", code: exitFailed, want: "there is no alerts/ here; name rule files"},
		{args: "export", code: exitFailed, want: "there is no alerts/ here; name rule files"},
		{args: "backtest --prometheus " + url, code: exitFailed, want: "there is no alerts/ here; name rule files"},
		{args: "export -", stdin: testedRule, want: "alert: Busy"},
		{args: "export -o out own/a.yaml twin/a.yaml", code: exitFailed, want: "own/a.yaml and twin/a.yaml would both be out/a.yaml; export them one by one"},
		{args: "export -o out -", stdin: testedRule, code: exitFailed, want: "standard input has no name"},
		{args: "test -", stdin: testedRule, code: exitFailed, want: "name that instead of -"},
		{args: "test own/a.test.yaml", code: exitFailed, want: "own/a.test.yaml holds unit tests; name the rule file that they test"},
		{args: "mutate own/a.test.yaml", code: exitFailed, want: "own/a.test.yaml holds unit tests; name the rule file that they test"},
		{args: "test twin", code: exitFailed, want: "there are no unit tests of twin/a.yaml; write them next to it"},
		{args: "mutate --min NaN twin", code: exitFailed, want: "--min is NaN; write a number of per cent from 0 to 100"},
		{args: "backtest --prometheus " + url + " empty", code: exitFailed, want: "there is no rule file (*.yaml, *.yml, *.rules) in empty"},
		{args: "backtest --prometheus " + url + " own/a.test.yaml", code: exitFailed, want: "own/a.test.yaml: not a rule file but unit tests"},
		{args: "backtest --prometheus " + url + " own/a.yaml", code: exitFailed, want: "this is not a git repository"},
		{args: "backtest --prometheus host own", code: exitFailed, want: `--prometheus "host" is not an address; write http://host:9090`},
		{args: "backtest --env nowhere --prometheus " + url + " own", code: exitFailed, want: `there is no environment "nowhere" (envs/nowhere)`},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"rules"}, strings.Fields(c.args)...), strings.NewReader(c.stdin), &stdout, &stderr, func(name string) string {
			return map[string]string{"LOOKOUT_PROMTOOL": "tool"}[name]
		})
		require.Equal(t, c.code, code, "%s: %s%s", c.args, &stdout, &stderr)
		require.Contains(t, stdout.String()+stderr.String(), c.want, c.args)
		if code == exitFailed && c.args != "check broken" { // that one says what it found
			require.Equal(t, 1, strings.Count(stderr.String(), "lookout: "), "%s: one message: %s", c.args, &stderr)
			require.Empty(t, stdout.String(), c.args)
		}
	}
	files, err := os.ReadDir("out")
	require.NoError(t, err)
	require.Empty(t, files, "what is refused writes nothing")
}

// A backtest or a review of an environment that does not exist, or whose settings are broken, would be that of another one.
func TestAnEnvironmentThatCannotBeReadIsRefused(t *testing.T) {
	backtestRepository(t)
	require.NoError(t, os.WriteFile("envs/prod/alerts.yaml", []byte("overrides: [\n"), 0o600))
	for _, c := range [][2]string{
		{"rules backtest --prometheus http://127.0.0.1:1 --env prod", "envs/prod/alerts.yaml:1:"},
		{"rules backtest --prometheus http://127.0.0.1:1 --env qa", `there is no environment "qa" (envs/qa)`},
		{"rules backtest --prometheus http://127.0.0.1:1 --base nope", `"nope" is not a commit of this repository; name a commit, tag or branch`},
		{"rules backtest --prometheus http://127.0.0.1:1 --env ../envs/prod", `--env "../envs/prod": write the name of a directory in envs`},
		{"rules export --env ..", `--env "..": write the name of a directory in envs`},
		{"review --base HEAD --env prod", "envs/prod/alerts.yaml:1:"},
		{"review --base HEAD --env qa", `there is no environment "qa" (envs/qa)`},
		{"review --base HEAD --prometheus host", `--prometheus "host" is not an address`},
		{"check --prometheus host alerts", `--prometheus "host" is not an address`},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(c[0]), nil, &stdout, &stderr, os.Getenv)
		require.Equal(t, exitFailed, code, "%s: %s%s", c[0], &stdout, &stderr)
		require.Contains(t, stderr.String(), c[1], c[0])
		require.NoDirExists(t, ".cache/review", c[0])
	}

	// What comes by standard input has no version in the commit: all of it is new.
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), strings.Fields("rules backtest --prometheus http://127.0.0.1:1 -"), strings.NewReader(backtested), &stdout, &stderr, os.Getenv)
	require.Equal(t, exitFailed, code, "%s%s", &stdout, &stderr)
	require.Contains(t, stdout.String(), "Same (<stdin>:14:9)\n  new\n")
}
