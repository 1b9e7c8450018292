package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// conn is one client connection: requests are answered one after another, as HTTP/1.1 keep-alive does.
type conn struct {
	fd      int
	in      []byte // received and not yet a whole request
	out     []byte // not yet accepted by the kernel
	plan    plan
	next    int   // the token to send next
	due     int64 // when, CLOCK_MONOTONIC ns
	busy    bool  // an answer is being sent
	closed  bool
	waiting bool // for EPOLLOUT
}

var errGone = errors.New("connection gone")

// received appends what the kernel has and starts the answer if a request is whole.
func (s *server) received(c *conn) error {
	n, err := unix.Read(c.fd, s.scratch)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil || n == 0 {
		return errGone
	}
	c.in = append(c.in, s.scratch[:n]...)
	return s.serve(c)
}

// serve answers the requests in c.in until one is being streamed.
func (s *server) serve(c *conn) error {
	for !c.busy && len(c.in) > 0 {
		req, used, err := parse(c.in)
		if err != nil {
			return err
		}
		if used == 0 {
			return nil
		}
		err = s.answer(c, req)
		c.in = append(c.in[:0], c.in[used:]...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *server) answer(c *conn, req request) error {
	if req.path == "/stats" {
		return s.write(c, jsonReply("200 OK", s.stats.json()))
	}
	if !strings.HasSuffix(req.path, "/chat/completions") {
		return s.write(c, jsonReply("404 Not Found", `{"error":{"message":"no such path"}}`))
	}
	model, err := modelOf(req.body)
	if err == nil {
		c.plan, err = planOf(model)
	}
	if err != nil {
		return s.write(c, jsonReply("400 Bad Request", fmt.Sprintf(`{"error":{"message":%q}}`, err)))
	}
	return s.begin(c)
}

// begin sends the response head and the role chunk, and the tokens too if none has to wait.
func (s *server) begin(c *conn) error {
	s.stats.Streams++
	c.busy, c.next, c.due = true, 0, s.now()+c.plan.phase()
	if c.plan.once {
		return s.all(c)
	}
	if err := s.write(c, []byte(opening)); err != nil {
		return err
	}
	if c.plan.interval == 0 {
		return s.burst(c)
	}
	s.timers.add(c)
	return nil
}

// all sends the whole answer in one write.
func (s *server) all(c *conn) error {
	out := append(s.build[:0], opening...)
	for now := s.now(); c.next < c.plan.tokens; c.next++ {
		out = c.plan.appendToken(out, c.next, now)
	}
	s.build = out
	return s.end(c, out)
}

// burst sends every token at once, one write for each.
func (s *server) burst(c *conn) error {
	for c.next < c.plan.tokens {
		if err := s.token(c); err != nil {
			return err
		}
	}
	return s.end(c, s.build[:0])
}

func (s *server) token(c *conn) error {
	s.build = c.plan.appendToken(s.build[:0], c.next, s.now())
	c.next++
	return s.write(c, s.build)
}

// tick sends the token that is due, and plans the next one from when this one was due, not from now: a
// late wake-up does not shift the rest of the stream.
func (s *server) tick(c *conn) error {
	if err := s.token(c); err != nil {
		return err
	}
	if c.next == c.plan.tokens {
		return s.end(c, s.build[:0])
	}
	c.due += int64(c.plan.interval)
	s.timers.add(c)
	return nil
}

func (s *server) end(c *conn, out []byte) error {
	out = c.plan.appendEnd(out)
	s.stats.Tokens += int64(c.plan.tokens)
	c.busy = false
	return s.write(c, out)
}

// write hands data to the kernel; what it does not take waits in c.out for EPOLLOUT.
func (s *server) write(c *conn, data []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, data...)
		return nil
	}
	n, err := unix.Write(c.fd, data)
	if err == unix.EAGAIN || err == unix.EINTR {
		n, err = 0, nil
	}
	if err != nil {
		return errGone
	}
	if n < len(data) {
		c.out = append(c.out, data[n:]...)
	}
	return s.watch(c, len(c.out) > 0)
}

// writable sends more of what had to wait.
func (s *server) writable(c *conn) error {
	n, err := unix.Write(c.fd, c.out)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil {
		return errGone
	}
	c.out = append(c.out[:0], c.out[n:]...)
	return s.watch(c, len(c.out) > 0)
}

func jsonReply(status, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		status, len(body), body)
}
