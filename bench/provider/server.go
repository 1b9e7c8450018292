package main

import (
	"encoding/json"
	"fmt"

	"golang.org/x/sys/unix"

	"headway.dev/bench/internal/clock"
)

// server is one thread with epoll and one timer, because it shares a core with the load generator and
// must never be what limits: net/http and a goroutine timer a stream cost several times as much, and
// the runtime's timers fire in whole milliseconds, which would bunch the streams.
type server struct {
	epoll    int
	listener int
	timer    int
	armed    int64 // what the timer is set to
	conns    map[int]*conn
	timers   timers
	scratch  []byte
	build    []byte
	stats    stats
}

type stats struct {
	Streams     int64 `json:"streams"`
	Tokens      int64 `json:"tokens"`
	Connections int64 `json:"connections"`
}

func (s *stats) json() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (s *server) now() int64 { return clock.Mono() }

// listen binds 127.0.0.1:port (0: any) and returns the server and the port it got.
func listen(port int) (*server, int, error) {
	s := &server{conns: map[int]*conn{}, scratch: make([]byte, 64<<10)}
	var err error
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, 0, fmt.Errorf("epoll_create1: %w", err)
	}
	if s.listener, err = bindLoopback(port); err != nil {
		return nil, 0, err
	}
	if s.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, 0, fmt.Errorf("timerfd_create: %w", err)
	}
	for _, fd := range []int{s.listener, s.timer} {
		if err := s.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
			return nil, 0, err
		}
	}
	address, err := unix.Getsockname(s.listener)
	if err != nil {
		return nil, 0, fmt.Errorf("getsockname: %w", err)
	}
	return s, address.(*unix.SockaddrInet4).Port, nil
}

func bindLoopback(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, fmt.Errorf("setsockopt: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, fmt.Errorf("bind port %d: %w", port, err)
	}
	return fd, unix.Listen(fd, unix.SOMAXCONN)
}

func (s *server) control(op, fd int, events uint32) error {
	err := unix.EpollCtl(s.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// watch asks for EPOLLOUT only while something waits for it.
func (s *server) watch(c *conn, out bool) error {
	if out == c.waiting {
		return nil
	}
	c.waiting = out
	events := uint32(unix.EPOLLIN)
	if out {
		events |= unix.EPOLLOUT
	}
	return s.control(unix.EPOLL_CTL_MOD, c.fd, events)
}

// run serves until the process ends.
func (s *server) run() error {
	events := make([]unix.EpollEvent, 256)
	for {
		if err := s.arm(); err != nil {
			return err
		}
		n, err := unix.EpollWait(s.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, event := range events[:max(n, 0)] {
			s.handle(event)
		}
		s.expire()
	}
}

// arm sets the timer to the token that is due next.
func (s *server) arm() error {
	first := s.timers.first()
	if first == s.armed {
		return nil
	}
	s.armed = first
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(first)}
	return unix.TimerfdSettime(s.timer, unix.TFD_TIMER_ABSTIME, &spec, nil)
}

func (s *server) expire() {
	for c := s.timers.expired(s.now()); c != nil; c = s.timers.expired(s.now()) {
		if !c.closed {
			s.closeIf(c, s.tick(c))
			s.resume(c)
		}
	}
}

func (s *server) handle(event unix.EpollEvent) {
	fd := int(event.Fd)
	switch fd {
	case s.listener:
		s.accept()
	case s.timer:
		_, _ = unix.Read(s.timer, s.scratch[:8])
		s.armed = 0
	default:
		s.ready(s.conns[fd], event.Events)
	}
}

func (s *server) ready(c *conn, events uint32) {
	if c == nil {
		return
	}
	if events&unix.EPOLLOUT != 0 {
		s.closeIf(c, s.writable(c))
	}
	if !c.closed && events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.closeIf(c, s.received(c))
	}
}

// resume serves a request that came in while the last answer was still being sent.
func (s *server) resume(c *conn) {
	if !c.closed && !c.busy {
		s.closeIf(c, s.serve(c))
	}
}

func (s *server) accept() {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		c := &conn{fd: fd}
		s.conns[fd] = c
		s.stats.Connections++
		s.closeIf(c, s.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN))
	}
}

func (s *server) closeIf(c *conn, err error) {
	if err == nil || c.closed {
		return
	}
	c.closed = true
	delete(s.conns, c.fd)
	_ = unix.Close(c.fd)
}
