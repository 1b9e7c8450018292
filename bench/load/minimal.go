package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"headway.dev/bench/internal/clock"
	headwayv1 "headway.dev/bench/internal/gen/headwayv1"
)

// minimal is the line through Headway with the least a gRPC client can do, as `direct` is for HTTP: two
// frames written at once, and messages looked at by the goroutine that reads the connection. What is
// measured with it is the daemon, not grpc-go.
type minimal struct {
	wire    *wire
	message []byte // the request with its gRPC prefix
	headers []byte
	want    int
}

const (
	streamPath   = "/headway.v1.CompletionService/StreamCompletion"
	prefixLength = 5 // gRPC over HTTP/2: a compression flag and the length of the message
	maxMessage   = 16 << 20
)

func newMinimal(w *wire, job job) (line, error) {
	body, err := proto.Marshal(requestOf(job))
	if err != nil {
		return nil, err
	}
	message := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body)))
	return &minimal{w, append(message, body...), requestHeaders(), job.want}, nil
}

// requestHeaders is a header block that leaves the peer's table alone, so that one block serves always.
func requestHeaders() []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", streamPath}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
		{"grpc-timeout", fmt.Sprintf("%dS", streamTimeout/time.Second)},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true}); err != nil {
			panic(err)
		}
	}
	return block.Bytes()
}

func (m *minimal) close() {}

func (m *minimal) stream(ctx context.Context, r *record) {
	call := r.begin()
	exchange := &exchange{contract: contract{call: call}, done: make(chan error, 1)}
	id, err := m.wire.open(exchange, m.headers, m.message)
	if err == nil {
		select {
		case err = <-exchange.done:
		case <-ctx.Done():
			m.wire.cancel(id)
			err = <-exchange.done
		}
	}
	call.end(m.want, err)
}

// exchange is one stream on the wire. Only the reader of the connection touches it until done.
type exchange struct {
	contract contract
	partial  []byte
	done     chan error
}

// data takes a DATA frame, which may hold several messages, or a part of one.
func (x *exchange) data(payload []byte) error {
	now := clock.Mono()
	if len(x.partial) > 0 {
		payload = append(x.partial, payload...)
	}
	for len(payload) >= prefixLength {
		length := int(binary.BigEndian.Uint32(payload[1:]))
		if length > maxMessage || payload[0] != 0 {
			return fmt.Errorf("not a plain gRPC message: % x", payload[:prefixLength])
		}
		if len(payload) < prefixLength+length {
			break
		}
		if err := x.message(payload[prefixLength:prefixLength+length], now); err != nil {
			return err
		}
		payload = payload[prefixLength+length:]
	}
	x.partial = append(x.partial[:0], payload...)
	return nil
}

func (x *exchange) message(body []byte, now int64) error {
	var message headwayv1.StreamCompletionResponse
	if err := proto.Unmarshal(body, &message); err != nil {
		return err
	}
	return x.contract.take(&message, now)
}

// trailers is how the stream ended.
func (x *exchange) trailers(frame *http2.MetaHeadersFrame) error {
	status, text := "", ""
	for _, field := range frame.Fields {
		switch strings.ToLower(field.Name) {
		case "grpc-status":
			status = field.Value
		case "grpc-message":
			text = field.Value
		}
	}
	if status != "0" {
		return fmt.Errorf("grpc-status %s: %s", status, text)
	}
	return x.contract.end()
}
