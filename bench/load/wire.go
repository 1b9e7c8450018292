package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wire is one HTTP/2 connection, shared by all workers as a gRPC channel is.
type wire struct {
	conn    net.Conn
	reading *http2.Framer

	lock    sync.Mutex
	room    sync.Cond // more may be sent
	build   bytes.Buffer
	writing *http2.Framer // into build, so that frames leave in one write
	streams map[uint32]*exchange
	next    uint32
	window  int // what the peer lets us send on this connection
	taken   int // received since the peer was last told so
	broken  error
}

// Windows so large that the peer never waits for us; told again after each `refill` bytes.
const (
	streamWindow = 1<<31 - 1
	refill       = 1 << 28
	peerWindow   = 65535 // RFC 9113, section 6.9.2: until the peer says otherwise
)

// connect opens a connection to a gRPC target: unix:///PATH or HOST:PORT.
func connect(target string) (net.Conn, error) {
	if path, isUnix := strings.CutPrefix(target, "unix://"); isUnix {
		return net.Dial("unix", path)
	}
	return net.Dial("tcp", target)
}

func dialWire(target string) (*wire, error) {
	conn, err := connect(target)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, streams: map[uint32]*exchange{}, next: 1, window: peerWindow}
	w.room.L = &w.lock
	w.writing = http2.NewFramer(&w.build, nil)
	w.reading = http2.NewFramer(nil, bufio.NewReaderSize(conn, 64<<10))
	w.reading.SetReuseFrames()
	w.reading.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	w.build.WriteString(http2.ClientPreface)
	err = errors.Join(
		w.writing.WriteSettings(
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
			http2.Setting{ID: http2.SettingEnablePush, Val: 0}),
		w.writing.WriteWindowUpdate(0, streamWindow-peerWindow),
		w.flush())
	if err != nil {
		return nil, err
	}
	go w.read()
	return w, nil
}

func (w *wire) close() { _ = w.conn.Close() }

// flush writes what was built; the lock is held.
func (w *wire) flush() error {
	_, err := w.conn.Write(w.build.Bytes())
	w.build.Reset()
	return err
}

// open starts a stream: its headers and its one message in one write. It waits while the peer's window
// for the connection is too small.
func (w *wire) open(x *exchange, headers, message []byte) (uint32, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for w.window < len(message) && w.broken == nil {
		w.room.Wait()
	}
	if w.broken != nil {
		return 0, w.broken
	}
	id := w.next
	w.next += 2
	w.streams[id] = x
	w.window -= len(message)
	head := http2.HeadersFrameParam{StreamID: id, BlockFragment: headers, EndHeaders: true}
	return id, errors.Join(w.writing.WriteHeaders(head), w.writing.WriteData(id, true, message), w.flush())
}

// cancel ends a stream early.
func (w *wire) cancel(id uint32) {
	w.lock.Lock()
	_ = w.writing.WriteRSTStream(id, http2.ErrCodeCancel)
	_ = w.flush()
	w.lock.Unlock()
	w.end(id, errors.New("cancelled"))
}

// end takes the stream off the wire and tells its worker. A stream that already ended stays ended.
func (w *wire) end(id uint32, err error) {
	w.lock.Lock()
	x := w.streams[id]
	delete(w.streams, id)
	w.lock.Unlock()
	if x != nil {
		x.done <- err
	}
}

func (w *wire) stream(id uint32) *exchange {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.streams[id]
}

// read handles frames until the connection ends, which ends every stream on it.
func (w *wire) read() {
	var err error
	for err == nil {
		var frame http2.Frame
		if frame, err = w.reading.ReadFrame(); err == nil {
			err = w.handle(frame)
		}
	}
	w.lock.Lock()
	w.broken = fmt.Errorf("connection lost: %w", err)
	left := w.streams
	w.streams = map[uint32]*exchange{}
	w.room.Broadcast()
	w.lock.Unlock()
	for _, x := range left {
		x.done <- w.broken
	}
}

func (w *wire) handle(frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.DataFrame:
		return w.data(frame)
	case *http2.MetaHeadersFrame:
		w.headers(frame)
	case *http2.RSTStreamFrame:
		w.end(frame.StreamID, fmt.Errorf("reset by the server: %v", frame.ErrCode))
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return w.send(w.writing.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return w.send(func() error { return w.writing.WritePing(true, frame.Data) })
		}
	case *http2.WindowUpdateFrame:
		w.grow(frame)
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server goes away: %v %s", frame.ErrCode, frame.DebugData())
	}
	return nil
}

func (w *wire) send(build func() error) error {
	w.lock.Lock()
	defer w.lock.Unlock()
	return errors.Join(build(), w.flush())
}

func (w *wire) data(frame *http2.DataFrame) error {
	if x := w.stream(frame.StreamID); x != nil {
		if err := x.data(frame.Data()); err != nil {
			w.end(frame.StreamID, err)
		}
	}
	if w.taken += int(frame.Length); w.taken < refill {
		return nil
	}
	taken := uint32(w.taken)
	w.taken = 0
	return w.send(func() error { return w.writing.WriteWindowUpdate(0, taken) })
}

func (w *wire) headers(frame *http2.MetaHeadersFrame) {
	if !frame.StreamEnded() {
		return
	}
	if x := w.stream(frame.StreamID); x != nil {
		w.end(frame.StreamID, x.trailers(frame))
	}
}

func (w *wire) grow(frame *http2.WindowUpdateFrame) {
	if frame.StreamID != 0 {
		return // a request is smaller than any stream's window
	}
	w.lock.Lock()
	w.window += int(frame.Increment)
	w.room.Broadcast()
	w.lock.Unlock()
}
