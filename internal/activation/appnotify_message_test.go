package activation

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestParseNotification(t *testing.T) {
	long := strings.Repeat("\u20ac", maxStatus)
	for text, want := range map[string]AppEvent{
		"":                                   {},
		"\n\n":                               {},
		"READY=1":                            {Ready: true},
		"READY=1\n":                          {Ready: true},
		"READY=1\x00":                        {Ready: true},
		"READY=1\n\x00":                      {Ready: true},
		"READY=1\x00\x00":                    {},
		"\x00READY=1":                        {},
		"READY=1\x00STATUS=x":                {},
		"READY=0":                            {},
		"READY=":                             {},
		"READY":                              {},
		"READY=11":                           {},
		"READY =1":                           {},
		" READY=1":                           {},
		"READY=1 ":                           {},
		"READY=1\r\n":                        {},
		"ready=1":                            {},
		"READY=0\nREADY=1":                   {Ready: true},
		"READY=1\nREADY=0":                   {Ready: true},
		"XREADY=1\nREADYX=1":                 {},
		"RELOADING=1\nMONOTONIC_USEC=1234":   {Reloading: true},
		"STOPPING=1\nSTATUS=bye":             {Stopping: true, HasStatus: true, Status: "bye"},
		"WATCHDOG=1":                         {Alive: true},
		"WATCHDOG=trigger":                   {Hung: true},
		"WATCHDOG=2":                         {},
		"WATCHDOG_USEC=1500000":              {Watchdog: 1500 * time.Millisecond},
		"WATCHDOG_USEC=0":                    {},
		"WATCHDOG_USEC=-1":                   {},
		"WATCHDOG_USEC=1s":                   {},
		"WATCHDOG_USEC=18446744073709551615": {},
		"WATCHDOG_USEC=9223372036854775":     {Watchdog: 9223372036854775 * time.Microsecond},
		"WATCHDOG_USEC=9223372036854776":     {},
		"STATUS=":                            {HasStatus: true},
		"STATUS= a=b\tc ":                    {HasStatus: true, Status: "a=b c"},
		"STATUS=\x1b[2Jx\xff\r":              {HasStatus: true, Status: "\ufffd[2Jx\ufffd\ufffd"},
		"STATUS=\u202ex\u0085":               {HasStatus: true, Status: "\ufffdx\ufffd"},
		"STATUS=gr\u00fc\u00dfe":             {HasStatus: true, Status: "gr\u00fc\u00dfe"},
		"STATUS=" + long:                     {HasStatus: true, Status: long},
		"STATUS=" + long + "x":               {HasStatus: true, Status: long + "\u2026"},
		"BARRIER=1":                          {},
		"ERRNO=2\nEXIT_STATUS=3\nFDNAME=x":   {},
	} {
		if got, refused := parseNotification([]byte(text)); got != want || refused != nil {
			t.Errorf("%q is %+v, refused %q, want %+v", text, got, refused, want)
		}
	}
	e, refused := parseNotification([]byte("MAINPID=5\nREADY=1\nFDSTORE=1\nFDNAME=x"))
	if e != (AppEvent{Ready: true}) || !slices.Equal(refused, []string{"MAINPID", "FDSTORE"}) {
		t.Errorf("%+v, refused %q", e, refused)
	}
}

// FuzzParseNotification holds that no message makes it panic, or gets anything
// into a status that is long or does something to a terminal.
func FuzzParseNotification(f *testing.F) {
	for _, text := range []string{"READY=1\nSTATUS=x", "STATUS=\x1b[2J\xff", "WATCHDOG_USEC=1\x00", "MAINPID=1\n=\n\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, refused := parseNotification(text)
		if n := utf8.RuneCountInString(e.Status); n > maxStatus+1 || !utf8.ValidString(e.Status) {
			t.Errorf("%q has a status of %d characters: %q", text, n, e.Status)
		}
		if strings.ContainsFunc(e.Status, func(r rune) bool { return !unicode.IsPrint(r) }) || e.Watchdog < 0 || e.PID != 0 {
			t.Errorf("%q is %+v", text, e)
		}
		if len(refused) > strings.Count(string(text), "\n")+1 {
			t.Errorf("%q: refused %q", text, refused)
		}
	})
}
