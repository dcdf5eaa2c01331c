package control

import (
	"net/http"
	"strings"
)

// handler answers an admitted request. An error that it returns is told to the
// client, so it returns none but errCut once it has begun to answer.
type handler func(*exchange) error

// routes are the fixed paths and the method of each.
var routes = map[string]struct {
	method string
	serve  handler
}{
	"/":              {http.MethodGet, servePage},
	"/v1/status":     {http.MethodGet, serveStatus},
	"/v1/sockets":    {http.MethodGet, serveSockets},
	"/v1/version":    {http.MethodGet, serveVersion},
	"/v1/operations": {http.MethodPost, serveOperation},
}

// route finds the handler of the request. http.ServeMux is not used because it
// answers unknown paths in plain text, and cleans paths by redirects.
func (x *exchange) route() (handler, *refusal) {
	path := x.r.URL.Path
	found, ok := routes[path]
	if !ok {
		name, isApp := strings.CutPrefix(path, "/v1/apps/")
		name, isOutput := strings.CutSuffix(name, "/output")
		if !isApp || !isOutput || name == "" || strings.Contains(name, "/") {
			return nil, refuse(http.StatusNotFound, CodeBadRequest, "no such path: %q", path)
		}
		x.app = name
		found.method, found.serve = http.MethodGet, serveOutput
	}
	if x.r.Method != found.method {
		ref := refuse(http.StatusMethodNotAllowed, CodeBadRequest,
			"%s does not take the method %q, but %s", path, x.r.Method, found.method)
		ref.header = http.Header{"Allow": {found.method}}
		ref.hangUp = true
		return nil, ref
	}
	if found.method == http.MethodGet && x.r.ContentLength != 0 {
		ref := badRequest("a GET takes no body")
		ref.hangUp = true
		return nil, ref
	}
	return found.serve, nil
}
