package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"headway.dev/bench/internal/clock"
)

// direct is the direct line: HTTP/1.1 straight to the provider over one kept connection, with the least
// a client can do. It is meant to be faster than any HTTP library, so that what Headway adds is not
// made to look small.
type direct struct {
	conn    net.Conn
	request []byte
	want    int
	buffer  []byte
}

func newDirect(base string, job job) (line, error) {
	parsed, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", parsed.Host)
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}],"stream":true,`+
		`"stream_options":{"include_usage":true}}`, job.model, job.prompt)
	request := fmt.Appendf(nil, "POST %s/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer bench\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		strings.TrimSuffix(parsed.Path, "/"), parsed.Host, len(body), body)
	return &direct{conn, request, job.want, make([]byte, 64<<10)}, nil
}

func (d *direct) close() { _ = d.conn.Close() }

func (d *direct) stream(ctx context.Context, r *record) {
	stop := context.AfterFunc(ctx, func() { _ = d.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	call := r.begin()
	_, err := d.conn.Write(d.request)
	if err == nil {
		err = d.read(call)
	}
	call.end(d.want, err)
}

// read takes in the answer. The bytes of a token that came in part stay in the buffer for the next read.
func (d *direct) read(call *call) error {
	kept := 0
	for first := true; ; first = false {
		n, err := d.conn.Read(d.buffer[kept:])
		if err != nil {
			return err
		}
		now := clock.Mono()
		data := d.buffer[:kept+n]
		if first && !bytes.HasPrefix(data, []byte("HTTP/1.1 200")) {
			return fmt.Errorf("refused: %.200q", data)
		}
		tokens, rest := tokensIn(data)
		if len(tokens) > 0 {
			if err := call.text(tokens, now); err != nil {
				return err
			}
		}
		if bytes.HasSuffix(data, []byte("\r\n0\r\n\r\n")) {
			return nil
		}
		if kept = copy(d.buffer, rest); kept == len(d.buffer) {
			return errors.New("a chunk larger than the buffer")
		}
	}
}

// tokensIn returns the tokens of the whole events in data, joined, and what has to wait for more bytes:
// what follows the last event, so that the end of the body is seen even if it comes in two reads.
func tokensIn(data []byte) (string, []byte) {
	const mark = `content":" ` // ends the key of reasoning_content too; only tokens begin with a space
	whole := data[:0]
	if at := bytes.LastIndex(data, []byte("\n\n")); at >= 0 {
		whole = data[:at+len("\n\n")]
	}
	var tokens []byte
	for rest := whole; ; {
		at := bytes.Index(rest, []byte(mark))
		if at < 0 {
			return string(tokens), data[len(whole):]
		}
		rest = rest[at+len(mark)-1:]
		tokens = append(tokens, rest[:clock.TokenLen]...)
		rest = rest[clock.TokenLen:]
	}
}
