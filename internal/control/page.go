package control

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// page is the whole web interface: one file that fetches nothing but /v1 of
// the door it came from.
//
//go:embed page.html
var page string

// pagePolicy is the page's Content-Security-Policy: its own script and style,
// told by their hashes, may run, and connect to where they came from; nothing
// else may, and no other page may frame it.
var pagePolicy = sync.OnceValue(func() string {
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; connect-src 'self'; "+
		"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		hashOfElement("script"), hashOfElement("style"))
})

// hashOfElement is the CSP hash of the page's one element called name.
func hashOfElement(name string) string {
	_, rest, _ := strings.Cut(page, "<"+name+">")
	text, _, _ := strings.Cut(rest, "</"+name+">")
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func servePage(x *exchange) error {
	if _, err := x.query(); err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Security-Policy", pagePolicy())
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	return x.bytes(http.StatusOK, "text/html; charset=utf-8", []byte(page))
}
