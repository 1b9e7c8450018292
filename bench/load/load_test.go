package main

import (
	"io"
	"net"
	"strings"
	"testing"

	"headway.dev/bench/internal/clock"
)

func token(ns int64) string {
	var text [clock.TokenLen]byte
	clock.PutToken(text[:], ns)
	return string(text[:])
}

// chunk is a data line as the provider sends it, of either phase.
func chunk(text string) string {
	return `data: {"choices":[{"delta":{"content":null,"reasoning_content":"` + text + `"}}]}` + "\n\n"
}

func TestTokensAreFoundHoweverTheBytesAreCut(t *testing.T) {
	want := token(1) + token(2) + token(3)
	body := chunk("") + chunk(token(1)) + chunk(token(2)) + chunk(token(3))
	for cut := range len(body) {
		first, rest := tokensIn([]byte(body[:cut]))
		second, left := tokensIn([]byte(string(rest) + body[cut:]))
		if first+second != want || len(left) != 0 {
			t.Fatalf("cut at %d: %q and %q, left %q", cut, first, second, left)
		}
	}
}

func TestOnlyWhatArrivesInTheWindowCounts(t *testing.T) {
	r := &record{window: window{100, 200}, delays: true}
	call := &call{record: r, began: 40}
	for _, now := range []int64{50, 150, 250} {
		if err := call.text(token(now-10), now); err != nil {
			t.Fatal(err)
		}
	}
	if r.tokens != 1 || len(r.delay) != 1 || r.delay[0] != 10 || len(r.ttft) != 0 {
		t.Errorf("counted %d tokens, delays %v, first tokens %v", r.tokens, r.delay, r.ttft)
	}
}

func TestAMergedMessageGivesTheDelayOfEachToken(t *testing.T) {
	r := &record{window: window{0, 1000}, delays: true}
	if err := r.begin().text(token(10)+token(20), 30); err != nil {
		t.Fatal(err)
	}
	if len(r.delay) != 2 || r.delay[0] != 20 || r.delay[1] != 10 {
		t.Errorf("delays %v", r.delay)
	}
}

func TestTextThatIsNoTokenFailsTheStream(t *testing.T) {
	for _, text := range []string{"short", strings.Repeat("x", clock.TokenLen)} {
		if err := (&record{window: window{0, 100}, delays: true}).begin().text(text, 50); err == nil {
			t.Errorf("%q was taken for a token", text)
		}
	}
}

func TestAStreamWithATokenMissingIsAFailure(t *testing.T) {
	r := &record{window: window{0, 1 << 62}}
	r.begin().end(1, nil)
	if r.failures != 1 || r.streams != 0 {
		t.Errorf("%d failures, %d streams", r.failures, r.streams)
	}
}

func TestPercentilesOfNothingAreNotZero(t *testing.T) {
	if got := percentilesOf(nil); got != nil {
		t.Errorf("got %v", got)
	}
	if got := percentilesOf([]int64{3000, 1000, 2000}); got.P50 != 2 || got.Max != 3 {
		t.Errorf("got %v", got)
	}
}

func TestTheDirectLineEndsWhereverTheLastBytesAreCut(t *testing.T) {
	body := "HTTP/1.1 200 OK\r\n\r\n5\r\n" + chunk(token(1)) + "\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
	for cut := len("HTTP/1.1 200"); cut < len(body); cut++ {
		client, server := net.Pipe()
		go func() {
			_, _ = io.WriteString(server, body[:cut])
			_, _ = io.WriteString(server, body[cut:])
		}()
		line := &direct{conn: client, buffer: make([]byte, 4096)}
		call := (&record{window: window{0, 1 << 62}}).begin()
		if err := line.read(call); err != nil || call.tokens != 1 {
			t.Fatalf("cut at %d: %d tokens, %v", cut, call.tokens, err)
		}
	}
}
