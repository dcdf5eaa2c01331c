package config

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                        nil,
		" \t\n":                   nil,
		"a b  c":                  {"a", "b", "c"},
		" a\tb\nc ":               {"a", "b", "c"},
		`'a b' "c d"`:             {"a b", "c d"},
		`'' ""`:                   {"", ""},
		`a''b""c`:                 {"abc"},
		`--x="a b"'c d'e`:         {"--x=a bc de"},
		`a\ b \'c\" \\`:           {"a b", `'c"`, `\`},
		`'a\b' "a\b" "a\\b"`:      {`a\b`, `a\b`, `a\b`},
		`"\$HOME \` + "`" + `\""`: {"$HOME `\""},
		`$HOME *.go ~ {a,b}`:      {"$HOME", "*.go", "~", "{a,b}"},
		`a | b; c && d > e # f`:   {"a", "|", "b;", "c", "&&", "d", ">", "e", "#", "f"},
		"a \\\n b":                {"a", "b"},
		"a\\\nb":                  {"ab"},
		"\"a\\\nb\"":              {"ab"},
		"'a\nb'":                  {"a\nb"},
		"é 'ü ö'":                 {"é", "ü ö"},
		`\a`:                      {"a"},
		`"'" '"'`:                 {"'", `"`},
	} {
		words, err := splitWords(text)
		if err != nil || !slices.Equal(words, want) {
			t.Errorf("%q: words %q, error %v, want %q", text, words, err, want)
		}
	}
	for text, want := range map[string]error{
		`'a`: errQuote, `a"`: errQuote, `"a\"`: errQuote, `'a\'b'`: errQuote, `"'`: errQuote, `a\`: errBackslash, `\`: errBackslash, `"\`: errBackslash,
	} {
		if words, err := splitWords(text); err != want {
			t.Errorf("%q: words %q, error %v, want %v", text, words, err, want)
		}
	}
}

// TestSplitWordsAsTheShell asks the shell of the machine for its opinion of
// texts without expansions and operators.
func TestSplitWordsAsTheShell(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to ask")
	}
	for _, text := range []string{
		`a "b c" 'd e' f\ g`, `"a\b\\c\"d" 'x\y' z\z`, `'' "" a''`, "a \\\n b", "'a\nb' \"c\\\nd\"", `--x="a b"'c d'e "it's"`,
	} {
		out, err := exec.Command(shell, "-c", `printf '%s\0' `+text).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if words, err := splitWords(text); err != nil || !slices.Equal(words, want) {
			t.Errorf("%q: words %q, error %v, the shell has %q", text, words, err, want)
		}
	}
}
