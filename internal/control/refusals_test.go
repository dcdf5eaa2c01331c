package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func get(path string) string { return "GET " + path + " HTTP/1.1\nHost: x\n\n" }

// malformed has each rule's breach; the nearest good ones are in
// TestGoodRequests.
var malformed = []struct {
	raw    string
	status int
	says   string
}{
	{get("/v2/status"), 404, "no such path"},
	{get("/v1/status/"), 404, "no such path"},
	{get("//v1/status"), 404, "no such path"},
	{get("/v1/../v1/status"), 404, "no such path"},
	{get("/v1/apps//output"), 404, "no such path"},
	{get("/v1/apps/a/b/output"), 404, "no such path"},
	{get("/v1/apps/a%2Fb/output"), 404, "no such path"},
	{get("/v1/apps/output"), 404, "no such path"},
	{get("/v1/operations"), 405, "but POST"},
	{"POST /v1/status HTTP/1.1\nHost: x\nContent-Length: 0\n\n", 405, "but GET"},
	{"HEAD /v1/status HTTP/1.1\nHost: x\nConnection: close\n\n", 405, ""},
	{"GET /v1/status HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}", 400, "no body"},
	{"GET /v1/status HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\n\n", 400, "no body"},
	{get("/v1/status?apps=a"), 400, `unknown parameter "apps"`},
	{get("/v1/status?app=%zz"), 400, "cannot be read"},
	{get("/v1/version?x"), 400, "unknown parameter"},
	{get("/v1/sockets?x"), 400, "unknown parameter"},
	{get("/?x"), 400, "unknown parameter"},
	{get("/v1/apps/a/output?lines=3"), 400, "unknown parameter"},
	{get("/v1/apps/a/output?n="), 400, "n is to be"},
	{get("/v1/apps/a/output?n=-1"), 400, "n is to be"},
	{get("/v1/apps/a/output?n=10001"), 400, "n is to be"},
	{get("/v1/apps/a/output?follow=perhaps"), 400, "follow is to be"},
	{strings.Replace(post(`{}`), "application/json", "text/plain", 1), 415, "application/json"},
	{strings.Replace(post(`{}`), "application/json", "application/x-www-form-urlencoded", 1), 415, "application/json"},
	{strings.Replace(post(`{}`), "Content-Type: application/json\n", "", 1), 415, "application/json"},
	{post(``), 400, "no such request"},
	{post(`null`), 400, "unknown verb"},
	{post(`[]`), 400, "no such request"},
	{post(`{"verb":`), 400, "no such request"},
	{post(`{"verb":"update"} {}`), 400, "more than one"},
	{post(`{"verb":"update"} x`), 400, "more than one"},
	{post(`{"verb":"update","force":true}`), 400, `unknown field "force"`},
	{post(`{"verb":"update","Caller":"root"}`), 400, `unknown field "Caller"`},
	{post(`{"verb":"update","apps":"a"}`), 400, "apps"},
	{post(`{"verb":"destroy"}`), 400, `unknown verb "destroy"`},
	{post(`{"verb":"update","apps":["a"]}`), 400, "takes no apps"},
	{post(`{"verb":"reexec","apps":["a"]}`), 400, "takes no apps"},
	{post(`{"verb":"restart"}`), 400, "needs an app"},
	{post(`{"verb":"start","apps":[]}`), 400, "needs an app"},
	{post(`{"verb":"stop","apps":["a",""]}`), 400, "is empty"},
	{post(`{"verb":"stop","apps":["a"],"signal":9}`), 400, "takes no signal"},
	{post(`{"verb":"kill","apps":["a"],"signal":65}`), 400, "is no signal"},
	{post(`{"verb":"kill","apps":["a"],"signal":-1}`), 400, "is no signal"},
	{post(`{"verb":"stop","apps":["a"],"drained":true}`), 400, "draining"},
}

func TestMalformedRequests(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	for _, c := range malformed {
		resp, body := d.ask(t, "unix", c.raw)
		if resp.StatusCode != c.status {
			t.Errorf("%q: %s %s, want %d", c.raw, resp.Status, body, c.status)
		}
		if c.says == "" {
			continue
		}
		var got errorBody
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Error == nil {
			t.Errorf("%q: answered %q", c.raw, body)
			continue
		}
		if got.Error.Code != CodeBadRequest || !strings.Contains(got.Error.Message, c.says) {
			t.Errorf("%q: %+v, want %q", c.raw, got.Error, c.says)
		}
		if c.status == 405 && resp.Header.Get("Allow") == "" {
			t.Errorf("%q: no Allow", c.raw)
		}
	}
}

func TestGoodRequests(t *testing.T) {
	d := openDoors(t, &fakeOps{
		start: func(context.Context, Request) (*Operation, error) { return operation(), nil },
		output: func(context.Context, string, int, bool) ([]OutputLine, <-chan OutputLine, error) {
			return nil, nil, nil
		},
	})
	for _, raw := range []string{
		strings.Replace(post(`{"verb":"update"}`), "application/json", "Application/JSON; charset=utf-8", 1),
		post(" {\"verb\":\"update\"}\n\n"),
		post(`{"verb":"reload"}`),
		post(`{"verb":"reload","apps":["a"],"drained":true}`),
		post(`{"verb":"kill","apps":["a"],"signal":64}`),
		post(`{"verb":"kill","apps":["a"],"wait":true}`),
		"GET /v1/apps/a/output?n=10000&follow=false HTTP/1.1\nHost: x\nConnection: close\n\n",
		"GET /v1/apps/../output?n=0 HTTP/1.1\nHost: x\nConnection: close\n\n",
		"GET /v1/version? HTTP/1.0\n\n",
	} {
		if resp, body := d.ask(t, "unix", raw); resp.StatusCode != 200 {
			t.Errorf("%q: %s %s", raw, resp.Status, body)
		}
	}
}

const bearer = "Authorization: Bearer TOKEN"

// admissions are requests at the TCP door; PORT stands for the door's.
var admissions = []struct {
	name, host, header string
	status             int
}{
	{"address", "HOST", bearer, 200},
	{"lower case scheme", "HOST", "Authorization: bearer TOKEN", 200},
	{"basic", "HOST", "Authorization: Basic " + basic("any", testToken), 200},
	{"basic without name", "HOST", "Authorization: Basic " + basic("", testToken), 200},
	{"localhost", "localhost:PORT", bearer, 200},
	{"other loopback address", "127.0.0.2:PORT", bearer, 200},
	{"loopback 6", "[::1]:PORT", bearer, 200},
	{"configured", "control.test:PORT", bearer, 200},
	{"configured, spelled otherwise", "Control.Test.:PORT", bearer, 200},

	{"no token", "HOST", "X: y", 401},
	{"empty token", "HOST", "Authorization: Bearer ", 401},
	{"wrong token", "HOST", "Authorization: Bearer TOKENX", 401},
	{"short token", "HOST", "Authorization: Bearer ABC", 401},
	{"other scheme", "HOST", "Authorization: Digest TOKEN", 401},
	{"token as name", "HOST", "Authorization: Basic " + basic(testToken, ""), 401},
	{"token in query", "HOST", "X: y", 401},

	{"foreign host", "evil.example:PORT", bearer, 403},
	{"foreign address", "192.0.2.1:PORT", bearer, 403},
	{"no port", "127.0.0.1", bearer, 403},
	{"other port", "127.0.0.1:1", bearer, 403},
	{"name with ours in front", "localhost.evil.example:PORT", bearer, 403},
	{"nonsense", "[::1:PORT", bearer, 403},

	{"same origin", "HOST", bearer + "\nOrigin: http://HOST", 200},
	{"fetch by our page", "HOST", bearer + "\nSec-Fetch-Site: same-origin", 200},
	{"typed by the user", "HOST", bearer + "\nSec-Fetch-Site: none", 200},
	{"cross origin", "HOST", bearer + "\nOrigin: http://evil.example", 403},
	{"other port's origin", "HOST", bearer + "\nOrigin: http://127.0.0.1:8080", 403},
	{"other scheme's origin", "HOST", bearer + "\nOrigin: https://HOST", 403},
	{"null origin", "HOST", bearer + "\nOrigin: null", 403},
	{"two origins", "HOST", bearer + "\nOrigin: http://HOST\nOrigin: http://evil.example", 403},
	{"cross site", "HOST", bearer + "\nSec-Fetch-Site: cross-site", 403},
	{"same site", "HOST", bearer + "\nSec-Fetch-Site: same-site", 403},
}

func TestTCPDoorLetsInByTokenAndHost(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	for _, c := range admissions {
		t.Run(c.name, func(t *testing.T) {
			path := "/v1/version"
			if c.name == "token in query" {
				path += "?token=TOKEN"
			}
			resp, body := d.ask(t, "tcp", "GET "+path+" HTTP/1.1\nHost: "+strings.ReplaceAll(c.host, "PORT", fmt.Sprint(d.port))+"\n"+c.header+"\nConnection: close\n\n")
			if resp.StatusCode != c.status {
				t.Fatalf("%s %s, want %d", resp.Status, body, c.status)
			}
			if c.status == 401 && len(resp.Header.Values("WWW-Authenticate")) != 2 {
				t.Errorf("challenges %q", resp.Header.Values("WWW-Authenticate"))
			}
			if (c.status == 401 || c.status == 403) && !strings.Contains(body, `"not-permitted"`) {
				t.Errorf("answered %s", body)
			}
			if strings.Contains(body, testToken) {
				t.Error("the answer shows the token")
			}
		})
	}
	if strings.Contains(d.log.String(), testToken) {
		t.Error("the log shows the token")
	}
	if n := strings.Count(d.log.String(), "control request refused"); n != 1 {
		t.Errorf("%d refusals logged, want the first only:\n%s", n, d.log)
	}
}

// TestRefusedRequestsDoNothing: no operation begins for who is not let in.
func TestRefusedRequestsDoNothing(t *testing.T) {
	d := openDoors(t, &fakeOps{start: func(context.Context, Request) (*Operation, error) {
		t.Error("an operation was begun")
		return operation(), nil
	}})
	body := `{"verb":"stop","apps":["demo"]}`
	for _, header := range []string{
		"Host: HOST\nContent-Type: application/json",
		"Host: HOST\nContent-Type: application/json\nAuthorization: Bearer TOKEN\nOrigin: http://evil.example",
		"Host: HOST\nContent-Type: application/json\nAuthorization: Bearer TOKEN\nSec-Fetch-Site: cross-site",
		"Host: HOST\nContent-Type: text/plain\nAuthorization: Bearer TOKEN",
		"Host: evil.example\nContent-Type: application/json\nAuthorization: Bearer TOKEN",
	} {
		resp, answer := d.ask(t, "tcp", fmt.Sprintf("POST /v1/operations HTTP/1.1\n%s\nContent-Length: %d\n\n%s", header, len(body), body))
		if resp.StatusCode < 400 {
			t.Errorf("%s: %s %s", header, resp.Status, answer)
		}
	}
}

func TestClientTellsThatItIsNotPermitted(t *testing.T) {
	d := openDoors(t, &fakeOps{})
	_, err := NewTCPClient("127.0.0.1", d.port, strings.Repeat("x", minToken)).Version(context.Background())
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeNotPermitted {
		t.Errorf("got %#v", err)
	}
}

func TestDoorWithoutTokenIsNotServed(t *testing.T) {
	listeners, err := ListenTCP("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	d := openDoors(t, &fakeOps{})
	if err := d.server.ServeTCP(listeners[0], TCPAccess{Host: "localhost"}); err == nil {
		t.Error("served without a token")
	}
}

func basic(name, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
}
