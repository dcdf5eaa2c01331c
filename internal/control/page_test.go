package control

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

func TestPageIsServedWithTheTokenOnly(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	resp, body := d.ask(t, "tcp", "GET / HTTP/1.1\nHost: HOST\nConnection: close\n\n")
	challenges := strings.Join(resp.Header.Values("WWW-Authenticate"), "\n")
	if resp.StatusCode != 401 || strings.Contains(body, "<html") || !strings.Contains(challenges, "Basic realm=") {
		t.Errorf("without: %s %q", resp.Status, challenges)
	}
	login := base64.StdEncoding.EncodeToString([]byte("me:" + testToken))
	resp, body = d.ask(t, "tcp", "GET / HTTP/1.1\nHost: HOST\nAuthorization: Basic "+login+"\nConnection: close\n\n")
	if resp.StatusCode != 200 || body != page {
		t.Fatalf("with: %s", resp.Status)
	}
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPageFitsItsPolicy: one script and one style, in the form that their
// hashes are taken of, nothing from elsewhere and nothing made into HTML.
func TestPageFitsItsPolicy(t *testing.T) {
	for _, element := range []string{"script", "style"} {
		if strings.Count(page, "<"+element) != 1 || strings.Count(page, "<"+element+">") != 1 {
			t.Errorf("not one plain <%s>", element)
		}
	}
	for _, banned := range []string{
		`\ssrc=`, `https?://`, `\son[a-z]+=`, `\sstyle=`, `innerHTML`, `outerHTML`, `insertAdjacentHTML`, `document\.write`, `\beval\(`,
	} {
		if found := regexp.MustCompile(banned).FindString(page); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
}
