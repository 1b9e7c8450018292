package clock

import "testing"

func TestATokenReadsBackAsTheTimeItWasSent(t *testing.T) {
	for _, ns := range []int64{0, 1, 36, 987654321012345, Mono()} {
		var token [TokenLen]byte
		PutToken(token[:], ns)
		if got, ok := SentAt(string(token[:])); !ok || got != ns {
			t.Errorf("%d came back as %d, %v", ns, got, ok)
		}
	}
}

func TestTextOfAnotherProviderIsNoToken(t *testing.T) {
	for _, text := range []string{"", "hello world!", " short", " 0123456789-"} {
		if _, ok := SentAt(text); ok {
			t.Errorf("%q was taken for a token", text)
		}
	}
}

func TestTheClockIsTheKernelsMonotonicClock(t *testing.T) {
	before := kernelMono()
	now := Mono()
	after := kernelMono()
	const slack = 1_000 // the calibration's own error, ns
	if now < before-slack || now > after+slack {
		t.Errorf("%d is not between %d and %d", now, before, after)
	}
}
