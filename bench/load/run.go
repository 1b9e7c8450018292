package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"headway.dev/bench/internal/clock"
)

// line is one worker's way to the provider: direct, or through Headway.
type line interface {
	stream(ctx context.Context, r *record)
	close()
}

// job is what every stream of a run asks for.
type job struct {
	model  string
	prompt string
	want   int // tokens
}

func jobOf(model string, promptBytes int) (job, error) {
	_, shape, _ := strings.Cut(model, "bench-")
	count, _, _ := strings.Cut(shape, "x")
	want, err := strconv.Atoi(count)
	if err != nil {
		return job{}, fmt.Errorf("model %q: expected bench-TOKENSxINTERVAL", model)
	}
	const sentence = "The quick brown fox jumps over the lazy dog. "
	prompt := strings.Repeat(sentence, promptBytes/len(sentence)+1)[:promptBytes]
	return job{model, prompt, want}, nil
}

// How long streams under way at the deadline may take to end by themselves, and how long after that
// they may take to notice that they were cancelled.
const (
	grace    = 500 * time.Millisecond
	stuckFor = 10 * time.Second
)

// drive runs one stream after another on every line until the window closes. Workers start spread over
// `stagger`, so that paced streams do not all begin, and end, together.
func drive(lines []line, w window, delays bool, stagger, gap time.Duration) []*record {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := time.Duration(w.to-clock.Mono()) + grace
	time.AfterFunc(left, cancel)
	stuck := time.AfterFunc(left+stuckFor, func() { fail(errors.New("streams that neither end nor can be cancelled")) })
	defer stuck.Stop()
	records := make([]*record, len(lines))
	var workers sync.WaitGroup
	for i, line := range lines {
		records[i] = &record{window: w, delays: delays}
		wait := stagger * time.Duration(i) / time.Duration(len(lines))
		workers.Go(func() { work(ctx, line, records[i], wait, gap) })
	}
	workers.Wait()
	return records
}

func work(ctx context.Context, line line, r *record, wait, gap time.Duration) {
	time.Sleep(wait)
	for clock.Mono() < r.window.to && r.failures < maxFailures {
		line.stream(ctx, r)
		if gap > 0 {
			time.Sleep(gap)
		}
	}
}

// maxFailures ends a worker that meets nothing but errors.
const maxFailures = 20
