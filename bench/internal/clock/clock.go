// Package clock reads CLOCK_MONOTONIC, which all processes of one machine share: a token carries the
// provider's send time in its text, and the load generator subtracts it from the receive time.
package clock

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// TokenLen is the length in bytes of every token of the bench provider: a space and the send time.
// Eleven base-36 digits hold four years of uptime in nanoseconds.
const TokenLen = 12

const base = 36

// time.Since reads CLOCK_MONOTONIC through the vDSO, without a system call, but counts from process
// start; the offset to the kernel's value is found once, by the tightest of several readings.
var started, offset = calibrate()

func calibrate() (time.Time, int64) {
	start := time.Now()
	best, at := time.Hour, int64(0)
	for range 100 {
		before := time.Since(start)
		kernel := kernelMono()
		after := time.Since(start)
		if gap := after - before; gap < best {
			best, at = gap, kernel-int64(before+gap/2)
		}
	}
	return start, at
}

func kernelMono() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// Mono returns CLOCK_MONOTONIC in nanoseconds.
func Mono() int64 { return offset + int64(time.Since(started)) }

// PutToken writes the token that says it was sent at ns into dst[:TokenLen].
func PutToken(dst []byte, ns int64) {
	dst[0] = ' '
	for i := TokenLen - 1; i > 0; i-- {
		dst[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[ns%base]
		ns /= base
	}
}

// SentAt reads a token back; ok is false if these bytes are no token of the bench provider.
func SentAt(token string) (ns int64, ok bool) {
	if len(token) != TokenLen || token[0] != ' ' {
		return 0, false
	}
	ns, err := strconv.ParseInt(token[1:], base, 64)
	return ns, err == nil
}
