package control

import (
	"context"
	"fmt"
	"net/http"
)

// Jobs lists what is under way.
func (c *Client) Jobs(ctx context.Context) ([]Job, error) {
	var list JobList
	err := c.get(ctx, "/v1/jobs", nil, &list)
	return list.Jobs, err
}

// CancelJob calls a job off.
func (c *Client) CancelJob(ctx context.Context, id uint32) error {
	resp, err := c.send(ctx, http.MethodPost, fmt.Sprintf("/v1/jobs/%d/cancel", id), struct{}{})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Monitor calls each with what happens from now on, until ctx
// or the daemon ends.
func (c *Client) Monitor(ctx context.Context, each func(Notice)) error {
	return readStream(ctx, c, http.MethodGet, "/v1/events", nil, each)
}
