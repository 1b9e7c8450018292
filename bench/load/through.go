package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"headway.dev/bench/internal/clock"
	headwayv1 "headway.dev/bench/internal/gen/headwayv1"
)

// streamTimeout is the deadline every request carries, as a well-behaved caller's would.
const streamTimeout = 120 * time.Second

func requestOf(job job) *headwayv1.StreamCompletionRequest {
	prompt := &headwayv1.ContentPart{Part: &headwayv1.ContentPart_Text{Text: job.prompt}}
	return &headwayv1.StreamCompletionRequest{Completion: &headwayv1.Completion{
		Model:    job.model,
		Messages: []*headwayv1.Message{{Role: headwayv1.Role_ROLE_USER, Content: []*headwayv1.ContentPart{prompt}}},
		Caller:   "bench",
	}}
}

// contract insists on what StreamCompletion promises: the first message is an attempt, the sequence has
// no holes, the text is the provider's, and `completed` comes last.
type contract struct {
	call      *call
	sequence  uint64
	completed bool
}

func (c *contract) take(message *headwayv1.StreamCompletionResponse, now int64) error {
	c.sequence++
	switch {
	case c.completed:
		return errors.New("a message after `completed`")
	case message.Sequence != c.sequence:
		return fmt.Errorf("sequence %d where %d was due", message.Sequence, c.sequence)
	case c.sequence == 1 && message.GetAttempt().GetNumber() != 1:
		return fmt.Errorf("the first message is no first attempt: %v", message)
	}
	switch event := message.Event.(type) {
	case *headwayv1.StreamCompletionResponse_Reasoning:
		return c.call.text(event.Reasoning.Text, now)
	case *headwayv1.StreamCompletionResponse_Answer:
		return c.call.text(event.Answer.Text, now)
	case *headwayv1.StreamCompletionResponse_Completed:
		c.completed = true
		return c.billed(event.Completed)
	}
	if c.sequence == 1 {
		return nil
	}
	return fmt.Errorf("a provider without faults, and yet: %v", message)
}

// billed insists that the stream was counted and priced: a daemon that skips its ledger is not measured.
func (c *contract) billed(completed *headwayv1.Completed) error {
	if got := completed.GetUsage().GetOutputTokens(); got != int64(c.call.tokens) {
		return fmt.Errorf("usage says %d output tokens, %d arrived", got, c.call.tokens)
	}
	if completed.GetCost().GetTotalNanoUsd() <= 0 {
		return errors.New("the stream has no price")
	}
	return nil
}

func (c *contract) end() error {
	if !c.completed {
		return errors.New("the stream ended without `completed`")
	}
	return nil
}

// ordinary is the line through Headway as a Go service would have it: generated stubs on grpc-go, one
// channel for all workers.
type ordinary struct {
	client  headwayv1.CompletionServiceClient
	request *headwayv1.StreamCompletionRequest
	want    int
}

func dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

func newOrdinary(channel *grpc.ClientConn, job job) line {
	return &ordinary{headwayv1.NewCompletionServiceClient(channel), requestOf(job), job.want}
}

func (o *ordinary) close() {}

func (o *ordinary) stream(ctx context.Context, r *record) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	call := r.begin()
	stream, err := o.client.StreamCompletion(ctx, o.request)
	if err == nil {
		err = receive(stream, &contract{call: call})
	}
	call.end(o.want, err)
}

func receive(stream grpc.ServerStreamingClient[headwayv1.StreamCompletionResponse], c *contract) error {
	for {
		message, err := stream.Recv()
		now := clock.Mono()
		if errors.Is(err, io.EOF) {
			return c.end()
		}
		if err == nil {
			err = c.take(message, now)
		}
		if err != nil {
			return err
		}
	}
}
