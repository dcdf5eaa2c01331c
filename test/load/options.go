package load

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Kind is a kind of traffic.
type Kind string

// The kinds of traffic. Each but Idle and IdleKept goes on until the load ends.
const (
	Get         Kind = "get"
	Post        Kind = "post"
	PostChunked Kind = "post-chunked"
	// Slow answers come after Options.SlowTime.
	Slow Kind = "slow"
	// Stream is a chunked answer that takes Options.StreamTime.
	Stream Kind = "stream"
	// Events are server-sent events, over Options.StreamTime.
	Events Kind = "events"
	// Upload is a body that takes Options.UploadTime to be sent.
	Upload Kind = "upload"
	// WebSocket sends messages; each echo counts as a request.
	WebSocket Kind = "websocket"
	// TCP sends lines to a TCP app; each echo counts as a request.
	TCP Kind = "tcp"
	// Idle connects, and makes its only request when the load is stopped.
	Idle Kind = "idle"
	// IdleKept makes a request at once, and one more on the same connection
	// when the load is stopped.
	IdleKept Kind = "idle-kept"
)

// Options describe a load. What is zero takes its default.
type Options struct {
	// Address is the HOST:PORT that traffic goes to, on loopback.
	Address string
	// Dial opens TCP connections to Address; default: that of a net.Dialer. It
	// is called by all clients, and may lead into a network of its own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Host is sent as the field of that name; default: Address.
	Host string
	// Clients is the number of clients of each kind.
	Clients map[Kind]int
	// Pause is the time between a client's requests; default: none.
	Pause time.Duration
	// MaxRequests bounds the requests of each client; default: 10,000,000, which
	// none comes to while a test waits for something else.
	MaxRequests int
	// MaxTime bounds the load: after it no new request begins; default: 20 min.
	MaxTime time.Duration
	// Patience is how long a client waits for a connection, for the next
	// bytes of an answer, and for its own bytes to leave; default: 30 s.
	Patience time.Duration
	// PerConnection is the number of messages on each WebSocket or TCP
	// connection before the client ends it and opens another; default: all.
	PerConnection int

	SlowTime   time.Duration // default: 300 ms
	StreamTime time.Duration // default: 200 ms
	UploadTime time.Duration // default: 100 ms
}

// Mix spreads n clients over the kinds of HTTP traffic that a restart must not
// cut. At least one of each kind is made.
func Mix(n int) map[Kind]int {
	kinds := []Kind{Get, Post, PostChunked, Slow, Stream, WebSocket}
	clients := make(map[Kind]int)
	for i := range max(n, len(kinds)) {
		clients[kinds[i%len(kinds)]]++
	}
	return clients
}

func (o Options) withDefaults() (Options, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return o, fmt.Errorf("start load: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return o, fmt.Errorf("start load: %q is not a loopback address", host)
	}
	for kind := range o.Clients {
		if behaviours[kind].request == nil {
			return o, fmt.Errorf("start load: unknown kind %q", kind)
		}
	}
	if o.Host == "" {
		o.Host = o.Address
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.MaxRequests == 0 {
		o.MaxRequests = 10_000_000
	}
	for duration, standard := range map[*time.Duration]time.Duration{
		&o.MaxTime:    20 * time.Minute,
		&o.Patience:   30 * time.Second,
		&o.SlowTime:   300 * time.Millisecond,
		&o.StreamTime: 200 * time.Millisecond,
		&o.UploadTime: 100 * time.Millisecond,
	} {
		if *duration == 0 {
			*duration = standard
		}
	}
	return o, nil
}
