package main

import "container/heap"

// timers orders connections by when their next token is due.
type timers struct{ queue byDue }

func (t *timers) add(c *conn) { heap.Push(&t.queue, c) }

// expired removes and returns the first connection that is due by now, or nil.
func (t *timers) expired(now int64) *conn {
	if len(t.queue) == 0 || t.queue[0].due > now {
		return nil
	}
	return heap.Pop(&t.queue).(*conn)
}

// first is when the next one is due, 0 if there is none.
func (t *timers) first() int64 {
	if len(t.queue) == 0 {
		return 0
	}
	return t.queue[0].due
}

type byDue []*conn

func (q byDue) Len() int           { return len(q) }
func (q byDue) Less(i, j int) bool { return q[i].due < q[j].due }
func (q byDue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *byDue) Push(c any)        { *q = append(*q, c.(*conn)) }
func (q *byDue) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return c
}
