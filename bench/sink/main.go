// Command sink is an OTLP/gRPC collector that accepts everything, counts it and keeps nothing, so that
// telemetry can be on during the benchmarks at no cost worth naming on the load core.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"headway.dev/bench/internal/quit"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
	var seen counts
	server := grpc.NewServer(grpc.UnknownServiceHandler(seen.export), grpc.MaxRecvMsgSize(64<<20))
	quit.WithParent()
	go seen.printOnHangUp()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port) // the orchestrator reads the port from here
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
}

// counts is what came in, by signal.
type counts struct{ exports, spans, metrics, logs atomic.Int64 }

// export accepts any Export call. All three answers of OTLP are empty messages when nothing is rejected;
// the request's bytes stay unread in the unknown fields of an Empty.
func (c *counts) export(_ any, stream grpc.ServerStream) error {
	var request emptypb.Empty
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	c.exports.Add(1)
	method, _ := grpc.MethodFromServerStream(stream)
	items := int64(leaves(request.ProtoReflect().GetUnknown()))
	switch {
	case strings.Contains(method, "TraceService"):
		c.spans.Add(items)
	case strings.Contains(method, "MetricsService"):
		c.metrics.Add(items)
	default:
		c.logs.Add(items)
	}
	return stream.SendMsg(&emptypb.Empty{})
}

// leaves counts spans, metrics or log records: in each request they are resource (field 1) / scope
// (field 2) / item (field 2), after opentelemetry-proto's trace, metrics and logs services.
func leaves(request []byte) int {
	items := 0
	each(request, 1, func(resource []byte) {
		each(resource, 2, func(scope []byte) {
			each(scope, 2, func([]byte) { items++ })
		})
	})
	return items
}

// each calls visit with every length-delimited field of that number.
func each(message []byte, field protowire.Number, visit func([]byte)) {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return
		}
		size := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if size < 0 {
			return
		}
		if number == field && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[tag:])
			visit(value)
		}
		message = message[tag+size:]
	}
}

// printOnHangUp writes the counts as one line of JSON at each SIGHUP.
func (c *counts) printOnHangUp() {
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	for range hangUps {
		fmt.Printf(`{"exports":%d,"spans":%d,"metrics":%d,"logs":%d}`+"\n",
			c.exports.Load(), c.spans.Load(), c.metrics.Load(), c.logs.Load())
	}
}
