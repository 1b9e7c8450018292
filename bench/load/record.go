package main

import (
	"fmt"
	"slices"

	"headway.dev/bench/internal/clock"
)

// window is the part of a run that counts: from the end of the warm-up to the deadline, CLOCK_MONOTONIC ns.
type window struct{ from, to int64 }

func (w window) holds(ns int64) bool { return ns >= w.from && ns < w.to }

// record is what one worker saw. Workers share nothing; records are joined when all have ended.
type record struct {
	window    window
	delays    bool // whether to keep the delay of every token
	streams   int
	tokens    int
	messages  int
	failures  int
	firstFail string
	ttft      []int64 // from before the request to the first token, ns
	total     []int64 // from before the request to the end, ns
	delay     []int64 // of every token: received minus sent, ns
}

// call is one stream under way.
type call struct {
	*record
	began  int64
	tokens int
}

func (r *record) begin() *call { return &call{record: r, began: clock.Mono()} }

// text notes a message that carried these tokens, received at now.
func (c *call) text(text string, now int64) error {
	if len(text)%clock.TokenLen != 0 {
		return fmt.Errorf("text was changed on the way: %q", text)
	}
	if c.tokens == 0 && c.window.holds(now) {
		c.ttft = append(c.ttft, now-c.began)
	}
	count := len(text) / clock.TokenLen
	c.tokens += count
	if c.window.holds(now) {
		c.record.tokens += count
		c.messages++
	}
	return c.note(text, now)
}

func (c *call) note(text string, now int64) error {
	if !c.delays || !c.window.holds(now) {
		return nil
	}
	for ; text != ""; text = text[clock.TokenLen:] {
		sent, ok := clock.SentAt(text[:clock.TokenLen])
		if !ok {
			return fmt.Errorf("text was changed on the way: %q", text)
		}
		c.delay = append(c.delay, now-sent)
	}
	return nil
}

// end notes how the stream ended. A whole stream has exactly the tokens that were asked for.
func (c *call) end(want int, err error) {
	now := clock.Mono()
	if err == nil && c.tokens != want {
		err = fmt.Errorf("%d tokens arrived of %d", c.tokens, want)
	}
	switch {
	case err == nil && c.window.holds(now):
		c.streams++
		c.total = append(c.total, now-c.began)
	case err != nil && now < c.window.to: // what ends after the deadline was ended by us
		c.fail(err)
	}
}

func (r *record) fail(err error) {
	r.failures++
	if r.firstFail == "" {
		r.firstFail = err.Error()
	}
}

// result is what a run reports, as JSON. Times are microseconds.
type result struct {
	WindowS   float64      `json:"window_s"`
	Streams   int          `json:"streams"`
	Tokens    int          `json:"tokens"`
	Messages  int          `json:"messages"`
	Failures  int          `json:"failures"`
	FirstFail string       `json:"first_failure,omitempty"`
	TTFT      *percentiles `json:"ttft_us"`
	Total     *percentiles `json:"total_us"`
	Delay     *percentiles `json:"delay_us"`
	Machine   *usage       `json:"machine,omitempty"`
	PeakRSS   int64        `json:"peak_rss_bytes,omitempty"`
}

type percentiles struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func join(records []*record) result {
	var all record
	for _, r := range records {
		all.streams += r.streams
		all.tokens += r.tokens
		all.messages += r.messages
		all.failures += r.failures
		if all.firstFail == "" {
			all.firstFail = r.firstFail
		}
		all.ttft = append(all.ttft, r.ttft...)
		all.total = append(all.total, r.total...)
		all.delay = append(all.delay, r.delay...)
	}
	return result{
		Streams: all.streams, Tokens: all.tokens, Messages: all.messages,
		Failures: all.failures, FirstFail: all.firstFail,
		TTFT: percentilesOf(all.ttft), Total: percentilesOf(all.total), Delay: percentilesOf(all.delay),
	}
}

// percentilesOf returns nil for no samples: "nothing measured" must not look like zero.
func percentilesOf(ns []int64) *percentiles {
	if len(ns) == 0 {
		return nil
	}
	slices.Sort(ns)
	at := func(q float64) float64 { return float64(ns[int(q*float64(len(ns)-1))]) / 1e3 }
	return &percentiles{len(ns), at(0.50), at(0.90), at(0.99), at(1)}
}
