package man

import (
	"fmt"
	"regexp"
	"strings"

	"gracevisor/internal/config"
)

// Keys returns the keys of a scope as a list of mdoc.
func Keys(scope config.Scope) string {
	var b strings.Builder
	b.WriteString(".Bl -tag -width Ds\n")
	for _, key := range config.Keys() {
		if key.Scope == scope {
			b.WriteString(item(key))
		}
	}
	b.WriteString(".El\n")
	return b.String()
}

func item(key config.Key) string {
	fallback := "`" + key.Default + "`"
	switch {
	case key.Required:
		fallback = "none: it is required"
	case key.Derived:
		fallback = key.Default
	}
	return fmt.Sprintf(".It Ic %s\n%s.\n.br\nValue: %s.\nDefault: %s.\n",
		key.Name, sentences(key.Doc), text(key.Type), text(fallback))
}

// sentences writes a phrase with a capital, and each sentence of it in a line of
// its own, which is how roff knows where a sentence ends.
func sentences(doc string) string {
	doc = strings.ToUpper(doc[:1]) + doc[1:]
	return strings.ReplaceAll(text(doc), ". ", ".\n")
}

var code = regexp.MustCompile("`[^`]*`")

// text writes Markdown as roff: code in quotes, and with real minus signs. A
// line of it begins with no control character of roff, because nothing in the
// documentation of a key does; see TestKeysSuitRoff.
func text(markdown string) string {
	return code.ReplaceAllStringFunc(strings.ReplaceAll(markdown, `\`, `\e`), func(s string) string {
		s = strings.Trim(s, "`")
		s = strings.NewReplacer("-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`).Replace(s)
		return `\(oq` + s + `\(cq`
	})
}
