package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// visitor asks an app for its life, through the proxy.
type visitor struct {
	url  string
	http *http.Client
}

func (r *running) visit(n int) *visitor {
	return &visitor{
		url:  fmt.Sprintf("http://127.0.0.1:%d/", r.firstPort+n),
		http: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute},
	}
}

// errUnavailable says that the app was answered for: it is stopped.
var errUnavailable = errors.New("ask app: 503")

func (v *visitor) ask(ctx context.Context) (life, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url, nil)
	if err != nil {
		return life{}, err
	}
	resp, err := v.http.Do(request)
	if err != nil {
		return life{}, fmt.Errorf("ask app: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return life{}, fmt.Errorf("ask app: %w", err)
	case resp.StatusCode == http.StatusServiceUnavailable:
		return life{}, errUnavailable
	case resp.StatusCode != http.StatusOK:
		return life{}, fmt.Errorf("ask app: %s: %.200q", resp.Status, body)
	}
	var l life
	if err := json.Unmarshal(body, &l); err != nil {
		return life{}, fmt.Errorf("ask app: %w", err)
	}
	return l, nil
}

// askUntil asks again and again until the answer is wanted. Answers that the
// app is stopped do not count: it is about to be started.
func (v *visitor) askUntil(ctx context.Context, wanted func(life) bool) (life, error) {
	for {
		l, err := v.ask(ctx)
		if err == nil && wanted(l) {
			return l, nil
		}
		if err != nil && !errors.Is(err, errUnavailable) {
			return life{}, err
		}
	}
}

// close lets the connections go.
func (v *visitor) close() { v.http.CloseIdleConnections() }
