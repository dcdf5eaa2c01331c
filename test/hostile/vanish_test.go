package hostile

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"gracevisor/test/harness"
)

// TestVanishingClients: clients that leave in the middle of everything, politely
// or with a reset, leave nothing behind, and cost others nothing.
func TestVanishingClients(t *testing.T) {
	t.Parallel()
	const post = "POST /echo HTTP/1.1\r\nHost: hostile\r\n"
	const page = " HTTP/1.1\r\nHost: hostile\r\n\r\n"
	stages := []struct {
		name, sends string
		reads       int // bytes of the answer
	}{
		{"connection", "", 0},
		{"request line", "GET /he", 0},
		{"header", "GET / HTTP/1.1\r\nHost: host", 0},
		{"small body", post + "Content-Length: 10\r\n\r\nabc", 0},
		{"large body", post + "Content-Length: 1000000\r\n\r\nabc", 0},
		{"chunk", post + "Transfer-Encoding: chunked\r\n\r\nff\r\nabc", 0},
		{"wait for 100", post + "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", 0},
		{"body after 100", post + "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n", 25},
		{"wait for the answer", "GET /slow?ms={patience}" + page, 0},
		{"pipeline", "GET /slow?ms={patience}" + page + "GET /" + page, 0},
		{"head of the answer", "GET /" + page, 5},
		{"large answer", "GET /blob?size=30000000" + page, 100_000},
		{"stream", "GET /stream?chunks=1000&ms=50" + page, 200},
		{"events", "GET /events?count=1000&ms=50" + page, 200},
		{"websocket", "GET /ws HTTP/1.1\r\nHost: hostile\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 100},
	}
	box, app := serve(t, nil, "--exit-at-once")
	end := others(t, app)
	const times = 10
	each(t, len(stages)*times*2, func(i int) error {
		stage := stages[i%len(stages)]
		c, err := connect(app.Address(), fmt.Sprintf("127.0.1.%d", 1+i%sources))
		if err != nil {
			return err
		}
		defer c.Close()
		reset := i/len(stages)%2 == 0
		// Who closes looks like who closes a half only, and is waited for a
		// while; a reset is noticed soon.
		patience := "1000"
		if reset {
			patience = "600000"
		}
		c.send(strings.ReplaceAll(stage.sends, "{patience}", patience))
		if n, err := io.CopyN(io.Discard, c, int64(stage.reads)); err != nil {
			return fmt.Errorf("%s: read %d bytes of the answer: %w", stage.name, n, err)
		}
		if reset {
			return c.Conn.(*net.TCPConn).SetLinger(0)
		}
		return nil
	})
	end()
	awaitNobody(box)
	// Nothing of them holds up the end of the instance that they came to.
	box.Must("restart", "--wait=drained", "demo")
	if i := harness.Active(box.Status("demo").Apps[0]); i.Number != 2 {
		t.Errorf("the active instance is %+v", i)
	}
}

// TestVanishingWhileHeld: who leaves while there is no instance is not waited
// for, and who stays is served.
func TestVanishingWhileHeld(t *testing.T) {
	t.Parallel()
	box := harness.New(t)
	app := box.App("demo", "--listen-after=3s").With("hold_timeout", "1m")
	box.Configure(app)
	box.Start()
	awaitHolding := func(n int) {
		box.Await(fmt.Sprintf("%d requests to wait", n), func() bool { return box.Status("demo").Apps[0].Counters.Holding == n })
	}
	stays := open(t, app)
	stays.send("GET / HTTP/1.1\r\nHost: hostile\r\n\r\n")
	awaitHolding(1)
	for range 50 {
		c := open(t, app)
		c.send("GET / HTTP/1.1\r\nHost: hostile\r\n\r\n")
		c.Close()
	}
	if a := stays.receive("GET"); a.status != 200 || a.body != "hello\n" {
		t.Errorf("got %v", a)
	}
	stays.Close()
	awaitNobody(box)
	awaitHolding(0)
}
