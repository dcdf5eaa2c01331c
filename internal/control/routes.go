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
	"/v1/workers":    {http.MethodGet, serveWorkers},
	"/v1/version":    {http.MethodGet, serveVersion},
	"/v1/operations": {http.MethodPost, serveOperation},
	"/v1/jobs":       {http.MethodGet, serveJobs},
	"/v1/events":     {http.MethodGet, serveEvents},
}

// named are the paths that have a name in their middle.
var named = []struct {
	before, after string
	method        string
	serve         handler
}{
	{"/v1/apps/", "/output", http.MethodGet, serveOutput},
	{"/v1/jobs/", "/cancel", http.MethodPost, serveCancel},
}

// route finds the handler of the request. http.ServeMux is not used because it
// answers unknown paths in plain text, and cleans paths by redirects.
func (x *exchange) route() (handler, *refusal) {
	path := x.r.URL.Path
	found, ok := routes[path]
	for _, n := range named {
		name, begins := strings.CutPrefix(path, n.before)
		name, ends := strings.CutSuffix(name, n.after)
		if begins && ends && name != "" && !strings.Contains(name, "/") {
			x.name, ok = name, true
			found.method, found.serve = n.method, n.serve
		}
	}
	if !ok {
		return nil, refuse(http.StatusNotFound, CodeBadRequest, "no such path: %q", path)
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
