// Command load drives streams directly to the bench provider, or through Headway, and reports what
// they took as one line of JSON. See bench/README.md for the method.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"headway.dev/bench/internal/clock"
)

func main() {
	commands := map[string]func([]string) (any, error){
		"direct": runDirect, "through": runMinimal, "through-grpc-go": runOrdinary, "ready": runReady, "wait": runWait,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: load direct|through|through-grpc-go|ready|wait [flags]")
		os.Exit(2)
	}
	result, err := commands[os.Args[1]](os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}

// options are the flags of a run.
type options struct {
	address string
	model   string
	prompt  int
	streams int
	warmUp  time.Duration
	length  time.Duration
	stagger time.Duration
	gap     time.Duration
	delays  bool
	pid     int
	core    int
	own     int
	rss     bool
}

func parseOptions(name string, args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.StringVar(&o.address, "to", "", "the provider's base URL, or the gRPC target")
	flags.StringVar(&o.model, "model", "", "what to ask for, as in bench-50x0")
	flags.IntVar(&o.prompt, "prompt", 1000, "length of the prompt, bytes")
	flags.IntVar(&o.streams, "streams", 1, "streams at a time")
	flags.DurationVar(&o.warmUp, "warm-up", 500*time.Millisecond, "time before the window")
	flags.DurationVar(&o.length, "for", 2*time.Second, "length of the window")
	flags.DurationVar(&o.stagger, "stagger", 0, "spread the first streams over this time")
	flags.DurationVar(&o.gap, "gap", 0, "pause of a worker between two streams")
	flags.BoolVar(&o.delays, "delays", false, "keep the delay of every token")
	flags.IntVar(&o.pid, "pid", 0, "process whose CPU time to read at both ends of the window; 0: none")
	flags.IntVar(&o.core, "core", 0, "core whose load to read with it")
	flags.IntVar(&o.own, "load-core", 1, "core this runs on, whose load to read too")
	flags.BoolVar(&o.rss, "rss", false, "sample the resident memory of -pid during the window")
	return o, flags.Parse(args)
}

func runDirect(args []string) (any, error) {
	o, err := parseOptions("direct", args)
	if err != nil {
		return nil, err
	}
	return measure(o, func(job job) (line, error) { return newDirect(o.address, job) })
}

func runMinimal(args []string) (any, error) {
	o, err := parseOptions("through", args)
	if err != nil {
		return nil, err
	}
	channel, err := dialWire(o.address)
	if err != nil {
		return nil, err
	}
	defer channel.close()
	return measure(o, func(job job) (line, error) { return newMinimal(channel, job) })
}

func runOrdinary(args []string) (any, error) {
	o, err := parseOptions("through-grpc-go", args)
	if err != nil {
		return nil, err
	}
	channel, err := dial(o.address)
	if err != nil {
		return nil, err
	}
	defer channel.Close()
	return measure(o, func(job job) (line, error) { return newOrdinary(channel, job), nil })
}

// measure opens the lines, drives them, and watches the machine meanwhile.
func measure(o options, open func(job) (line, error)) (result, error) {
	job, err := jobOf(o.model, o.prompt)
	if err != nil {
		return result{}, err
	}
	lines := make([]line, o.streams)
	for i := range lines {
		if lines[i], err = open(job); err != nil {
			return result{}, err
		}
		defer lines[i].close()
	}
	from := clock.Mono() + int64(o.warmUp)
	w := window{from, from + int64(o.length)}
	watched := watch(o, w)
	out := join(drive(lines, w, o.delays, o.stagger, o.gap))
	seen := <-watched
	out.WindowS, out.Machine, out.PeakRSS = o.length.Seconds(), seen.usage, seen.peak
	return out, seen.err
}

type seen struct {
	usage *usage
	peak  int64
	err   error
}

func watch(o options, w window) <-chan seen {
	out := make(chan seen, 1)
	go func() {
		var s seen
		if o.pid != 0 && o.rss {
			s.peak, s.err = peakRSS(o.pid, w)
		} else if o.pid != 0 {
			s.usage, s.err = sampleWindow(o.pid, o.core, o.own, w)
		}
		out <- s
	}()
	return out
}
