package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"headway.dev/bench/internal/clock"
)

func start(t *testing.T) string {
	t.Helper()
	s, port, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.run() }()
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

func ask(t *testing.T, base, model string) (int, string) {
	t.Helper()
	body := strings.NewReader(fmt.Sprintf(`{"messages":[],"model":%q}`, model))
	reply, err := http.Post(base+"/v1/chat/completions", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(text)
}

func TestAModelNameSaysHowManyTokensAndHowFast(t *testing.T) {
	for name, want := range map[string]plan{
		"bench-50x0":      {50, 0, false},
		"bench-50x0-once": {50, 0, true},
		"bench-250x20ms":  {250, 20 * time.Millisecond, false},
	} {
		if got, err := planOf(name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestAnotherModelNameIsRefusedWithTheExpectedShape(t *testing.T) {
	base := start(t)
	for _, name := range []string{"", "gpt-5", "bench-0x0", "bench-5", "bench-5x-1s", "bench-5xfast"} {
		if status, text := ask(t, base, name); status != 400 || !strings.Contains(text, "bench-TOKENSxINTERVAL") {
			t.Errorf("%q: %d %s", name, status, text)
		}
	}
}

func TestEveryStreamIsWholeWithHalfItsTokensReasoning(t *testing.T) {
	base := start(t)
	for _, name := range []string{"bench-5x0", "bench-5x0-once", "bench-5x1ms"} {
		status, text := ask(t, base, name)
		reasoning, answer := strings.Count(text, `reasoning_content":" `), strings.Count(text, `"content":" `)
		if status != 200 || reasoning != 2 || answer != 3 {
			t.Errorf("%s: status %d, %d reasoning and %d answer tokens", name, status, reasoning, answer)
		}
		if !strings.Contains(text, `"completion_tokens":5`) || !strings.HasSuffix(text, "data: [DONE]\n\n") {
			t.Errorf("%s does not end as it should: %s", name, text)
		}
	}
}

func TestATokenSaysWhenItWasSent(t *testing.T) {
	base := start(t)
	before := clock.Mono()
	_, text := ask(t, base, "bench-1x0")
	_, rest, _ := strings.Cut(text, `content":" `)
	sent, ok := clock.SentAt(" " + rest[:clock.TokenLen-1])
	if !ok || sent < before || sent > clock.Mono() {
		t.Errorf("sent at %d, asked at %d", sent, before)
	}
}

// A request may come in any pieces, and the next one while the last is still being answered.
func TestRequestsAreReadFromAnyPiecesAndAnsweredInOrder(t *testing.T) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(start(t), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var sent strings.Builder
	for _, model := range []string{"bench-2x1ms", "bench-3x0", "bench-1x0-once"} {
		body := fmt.Sprintf(`{"model":%q}`, model)
		fmt.Fprintf(&sent, "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
	}
	for _, piece := range strings.SplitAfter(sent.String(), "e") {
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	reader := bufio.NewReader(conn)
	for _, want := range []int{2, 3, 1} {
		reply, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if got := strings.Count(string(text), `content":" `); err != nil || got != want {
			t.Errorf("%d tokens where %d were due: %v", got, want, err)
		}
	}
}

// What the kernel does not take waits: a slow reader gets everything, and holds nobody else up.
func TestASlowReaderLosesNothing(t *testing.T) {
	base := start(t)
	const tokens = 60_000 // 20 MB, more than the socket buffers hold
	body := strings.NewReader(fmt.Sprintf(`{"model":"bench-%dx0"}`, tokens))
	slow, err := http.Post(base+"/v1/chat/completions", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	if status, _ := ask(t, base, "bench-1x0"); status != 200 {
		t.Errorf("another client got %d", status)
	}
	text, err := io.ReadAll(slow.Body)
	if got := strings.Count(string(text), `content":" `); err != nil || got != tokens {
		t.Errorf("%d tokens of %d: %v", got, tokens, err)
	}
}
