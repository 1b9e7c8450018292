package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"headway.dev/bench/internal/clock"
)

// plan is what a model name asks for. "bench-250x20ms" is 250 tokens, one each 20 ms, the first after a
// random part of 20 ms; "bench-50x0" is 50 tokens at once, one write for each; "bench-50x0-once" puts
// the whole answer into one write. The first half of the tokens is reasoning.
type plan struct {
	tokens   int
	interval time.Duration
	once     bool
}

const (
	maxTokens  = 1_000_000
	planPrefix = "bench-"
)

func planOf(model string) (plan, error) {
	fail := fmt.Errorf("model %q: expected bench-TOKENSxINTERVAL, as in bench-50x0 or bench-250x20ms", model)
	shape, isPlan := strings.CutPrefix(model, planPrefix)
	shape, once := strings.CutSuffix(shape, "-once")
	count, gap, isPair := strings.Cut(shape, "x")
	if !isPlan || !isPair {
		return plan{}, fail
	}
	tokens, err := strconv.Atoi(count)
	if err != nil || tokens < 1 || tokens > maxTokens {
		return plan{}, fail
	}
	interval, err := time.ParseDuration(gap)
	if err != nil || interval < 0 {
		return plan{}, fail
	}
	return plan{tokens, interval, once}, nil
}

func (p plan) reasoning() int { return p.tokens / 2 }

// phase is the wait before the first token: streams that all speak in the same instant would flatter
// the CPU figure and spoil the percentiles.
func (p plan) phase() int64 {
	if p.interval == 0 {
		return 0
	}
	return rand.Int64N(int64(p.interval))
}

// The chunks have the shape of DeepSeek's: a role chunk with empty reasoning, one token a chunk, usage
// inside the finish chunk, then [DONE].
const (
	chunkHead = `data: {"id":"bd5017f1-55d7-4b86-8aad-64539ef74436","object":"chat.completion.chunk",` +
		`"created":1778109595,"model":"bench","system_fingerprint":"fp_058df29938_prod0820_fp8_kvcache",` +
		`"choices":[{"index":0,"delta":`
	chunkTail = `,"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	blank     = "            " // room for one token

	responseHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" +
		"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
	promptTokens = 21
)

var (
	opening        = responseHead + chunked(chunkHead+`{"role":"assistant","content":null,"reasoning_content":""}`+chunkTail)
	reasoningChunk = newTemplate(`{"content":null,"reasoning_content":"` + blank + `"}`)
	answerChunk    = newTemplate(`{"content":"` + blank + `","reasoning_content":null}`)
)

// template is a chunk as it goes to the wire, with the place of the token in it.
type template struct {
	bytes []byte
	at    int
}

func newTemplate(delta string) template {
	whole := chunked(chunkHead + delta + chunkTail)
	return template{[]byte(whole), strings.Index(whole, blank)}
}

func (t template) appendTo(out []byte, now int64) []byte {
	start := len(out)
	out = append(out, t.bytes...)
	clock.PutToken(out[start+t.at:], now)
	return out
}

func chunked(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }

// appendToken appends token number n (from 0) as sent now.
func (p plan) appendToken(out []byte, n int, now int64) []byte {
	if n < p.reasoning() {
		return reasoningChunk.appendTo(out, now)
	}
	return answerChunk.appendTo(out, now)
}

// appendEnd appends the finish chunk with the usage, [DONE] and the end of the body.
func (p plan) appendEnd(out []byte) []byte {
	finish := fmt.Sprintf(`%s{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":%d},`+
		`"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":%d}}`+"\n\n",
		chunkHead, promptTokens, p.tokens, promptTokens+p.tokens, p.reasoning(), promptTokens)
	out = append(out, chunked(finish)...)
	return append(out, chunked("data: [DONE]\n\n")+"0\r\n\r\n"...)
}
