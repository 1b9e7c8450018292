// Command provider is the upstream of the benchmarks: it speaks OpenAI-chat SSE on loopback, with the
// chunks DeepSeek sends, and is fast enough never to be what is measured.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"headway.dev/bench/internal/quit"
)

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1; 0 takes any free one")
	flag.Parse()
	runtime.LockOSThread()
	s, bound, err := listen(*port)
	if err == nil {
		quit.WithParent()
		fmt.Println(bound) // the orchestrator reads the port from here
		err = s.run()
	}
	fmt.Fprintln(os.Stderr, "provider:", err)
	os.Exit(1)
}
