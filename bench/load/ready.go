package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"headway.dev/bench/internal/clock"
)

// ready is one start of the daemon. Times are milliseconds from just before exec.
type ready struct {
	ServingMS     float64 `json:"serving_ms"`
	FirstAnswerMS float64 `json:"first_answer_ms"`
}

// How often the health service is asked, and for how long at most.
const (
	pollEvery = 500 * time.Microsecond
	giveUp    = 30 * time.Second
)

// runReady starts the command after the flags on one core, and reports when grpc.health.v1 first said
// SERVING and when a first one-token answer had arrived. It stops the command again.
func runReady(args []string) (any, error) {
	flags := flag.NewFlagSet("ready", flag.ContinueOnError)
	target := flags.String("to", "", "gRPC target, unix:///PATH or HOST:PORT")
	core := flags.Int("core", 0, "core to run the command on")
	model := flags.String("model", "", "model of the first answer, as in bench-1x0; empty: none")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	began := clock.Mono()
	command, err := start(*core, flags.Args())
	if err != nil {
		return nil, err
	}
	defer stop(command)
	out := ready{}
	if err := waitServing(*target, began+int64(giveUp)); err != nil {
		return nil, err
	}
	out.ServingMS = since(began)
	if *model == "" {
		return out, nil
	}
	err = firstAnswer(*target, *model)
	out.FirstAnswerMS = since(began)
	return out, err
}

// runWait returns when the target first says SERVING.
func runWait(args []string) (any, error) {
	flags := flag.NewFlagSet("wait", flag.ContinueOnError)
	target := flags.String("to", "", "gRPC target, unix:///PATH or HOST:PORT")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	began := clock.Mono()
	err := waitServing(*target, began+int64(giveUp))
	return ready{ServingMS: since(began)}, err
}

func since(ns int64) float64 { return float64(clock.Mono()-ns) / 1e6 }

// start runs the command pinned: a child inherits the affinity of the thread that forks it.
func start(core int, args []string) (*exec.Cmd, error) {
	if len(args) == 0 {
		return nil, errors.New("no command to start")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return nil, fmt.Errorf("pin to core %d: %w", core, err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	command := exec.Command(args[0], args[1:]...)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // a killed bench leaves no daemon
	return command, command.Start()
}

func stop(command *exec.Cmd) {
	_ = command.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
	_ = command.Wait()
	kill.Stop()
}

// waitServing polls until health says SERVING. The connection is made by hand first: grpc-go answers a
// refused one with a pause of a second.
func waitServing(target string, deadline int64) error {
	for {
		err := serving(target)
		if err == nil || clock.Mono() > deadline {
			return err
		}
		time.Sleep(pollEvery)
	}
}

func serving(target string) error {
	probe, err := connect(target)
	if err != nil {
		return err
	}
	_ = probe.Close()
	channel, err := dial(target)
	if err != nil {
		return err
	}
	defer channel.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	reply, err := healthv1.NewHealthClient(channel).Check(ctx, &healthv1.HealthCheckRequest{})
	if err == nil && reply.Status != healthv1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("health: %v", reply.Status)
	}
	return err
}

func firstAnswer(target, model string) error {
	job, err := jobOf(model, 100)
	if err != nil {
		return err
	}
	channel, err := dial(target)
	if err != nil {
		return err
	}
	defer channel.Close()
	now := clock.Mono()
	r := &record{window: window{now, now + int64(giveUp)}}
	newOrdinary(channel, job).stream(context.Background(), r)
	if r.failures > 0 {
		return fmt.Errorf("first answer: %s", r.firstFail)
	}
	return nil
}
