package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"headway.dev/bench/internal/clock"
)

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for /proc.
const ticksPerSecond = 100

// usage is what the watched process and its core did during the window.
type usage struct {
	CPUS          float64 `json:"cpu_s"`            // processor time of the watched process
	CoreBusyS     float64 `json:"core_busy_s"`      // of its core, everybody together, without lowest-priority work
	LoadCoreBusyS float64 `json:"load_core_busy_s"` // the same of the core that this runs on
}

type reading struct{ process, core, loadCore float64 }

// sampleWindow sleeps through the window and reports what was used between its ends.
func sampleWindow(pid, core, loadCore int, w window) (*usage, error) {
	sleepUntil(w.from)
	before, err := read(pid, core, loadCore)
	if err != nil {
		return nil, err
	}
	sleepUntil(w.to)
	after, err := read(pid, core, loadCore)
	if err != nil {
		return nil, err
	}
	return &usage{after.process - before.process, after.core - before.core, after.loadCore - before.loadCore}, nil
}

func sleepUntil(ns int64) { time.Sleep(time.Duration(ns - clock.Mono())) }

func read(pid, core, loadCore int) (reading, error) {
	process, err := processCPU(pid)
	if err != nil {
		return reading{}, err
	}
	busy, err := coreBusy(core)
	if err != nil {
		return reading{}, err
	}
	loadBusy, err := coreBusy(loadCore)
	return reading{process, busy, loadBusy}, err
}

// processCPU is user plus system time of all threads, in seconds.
func processCPU(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in brackets may hold spaces; fields count from after it: state is 3, utime 14, stime 15.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	return ticks(string(fields[14-3]), string(fields[15-3]))
}

// coreBusy is user, system, interrupt and stolen time of one core; "nice" and "idle" are left out, since
// the spinner that keeps the core awake counts as idle-class work.
func coreBusy(core int) (float64, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	prefix := fmt.Sprintf("cpu%d ", core)
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, prefix) {
			fields := strings.Fields(line)
			return ticks(fields[1], fields[3], fields[6], fields[7], fields[8])
		}
	}
	return 0, fmt.Errorf("no %sin /proc/stat", prefix)
}

func ticks(fields ...string) (float64, error) {
	sum := 0.0
	for _, field := range fields {
		value, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum / ticksPerSecond, nil
}

// peakRSS samples the resident memory of pid until the window closes and returns the largest value, bytes.
func peakRSS(pid int, w window) (int64, error) {
	sleepUntil(w.from)
	var peak int64
	for clock.Mono() < w.to {
		now, err := residentBytes(pid)
		if err != nil {
			return 0, err
		}
		peak = max(peak, now)
		time.Sleep(100 * time.Millisecond)
	}
	return peak, nil
}

func residentBytes(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, isRSS := strings.CutPrefix(line, "Rss:"); isRSS {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no Rss in smaps_rollup of %d", pid)
}
