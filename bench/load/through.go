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

// through is the line through Headway: StreamCompletion on a channel that all workers share.
type through struct {
	client  headwayv1.CompletionServiceClient
	request *headwayv1.StreamCompletionRequest
	want    int
}

func dial(target string) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithReadBufferSize(64<<10), grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(4<<20))
}

func newThrough(channel *grpc.ClientConn, job job) line {
	prompt := &headwayv1.ContentPart{Part: &headwayv1.ContentPart_Text{Text: job.prompt}}
	return &through{
		client: headwayv1.NewCompletionServiceClient(channel),
		request: &headwayv1.StreamCompletionRequest{Completion: &headwayv1.Completion{
			Model:    job.model,
			Messages: []*headwayv1.Message{{Role: headwayv1.Role_ROLE_USER, Content: []*headwayv1.ContentPart{prompt}}},
			Caller:   "bench",
		}},
		want: job.want,
	}
}

func (t *through) close() {}

func (t *through) stream(ctx context.Context, r *record) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	call := r.begin()
	stream, err := t.client.StreamCompletion(ctx, t.request)
	if err == nil {
		err = receive(stream, call)
	}
	call.end(t.want, err)
}

// receive reads to the end and insists on the contract: the first message is an attempt, the last one
// `completed`, and the sequence has no holes.
func receive(stream grpc.ServerStreamingClient[headwayv1.StreamCompletionResponse], call *call) error {
	completed := false
	for sequence := uint64(1); ; sequence++ {
		message, err := stream.Recv()
		now := clock.Mono()
		switch {
		case errors.Is(err, io.EOF) && completed:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the stream ended without `completed`")
		case err != nil:
			return err
		case message.Sequence != sequence:
			return fmt.Errorf("sequence %d where %d was due", message.Sequence, sequence)
		}
		if completed, err = take(message, call, now); err != nil {
			return err
		}
	}
}

func take(message *headwayv1.StreamCompletionResponse, call *call, now int64) (completed bool, err error) {
	switch event := message.Event.(type) {
	case *headwayv1.StreamCompletionResponse_Reasoning:
		return false, call.text(event.Reasoning.Text, now)
	case *headwayv1.StreamCompletionResponse_Answer:
		return false, call.text(event.Answer.Text, now)
	case *headwayv1.StreamCompletionResponse_Completed:
		return true, nil
	case *headwayv1.StreamCompletionResponse_Attempt:
		if event.Attempt.Number != 1 {
			return false, fmt.Errorf("attempt %d: %s", event.Attempt.Number, event.Attempt.Reason)
		}
		return false, nil
	default:
		return false, fmt.Errorf("unexpected event %T", event)
	}
}
