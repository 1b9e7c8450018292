"""Virtual time: an event loop that never waits, but jumps to its next timer.

Whatever asks the loop for time (`asyncio.sleep`, timeouts, `call_at`, a `LoopClock`) moves with
it, so a day of traffic runs in seconds and twice the same. Real sockets and threads stay outside:
the loop refuses to open the former, and runs executor jobs at once in its own thread.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, NoReturn, ParamSpec, TypeVar

from sidecar.core.clock import LoopClock

T = TypeVar("T")
P = ParamSpec("P")

# 2026-11-02 12:00:00 UTC: a Monday outside DeepSeek's peak hours; any fixed moment would do.
START_WALL_NS = 1_793_620_800_000_000_000


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set: the pending tasks can never go on. Names them."""


class _JumpingSelector(selectors.DefaultSelector):
    """Polls without waiting; asked to wait, it moves the loop's time on instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0:
            return []
        ready = super().select(0)
        if not ready:
            self.loop.jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose `time()` starts at `start_s` and jumps to the next timer when idle.

    Raises `Deadlock` out of `run_until_complete` when there is nothing to jump to.
    """

    def __init__(self, *, start_s: float = 0.0, start_wall_ns: int = START_WALL_NS) -> None:
        self._now = start_s
        self._start_s = start_s
        self._start_wall_ns = start_wall_ns
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        # asyncio fires timers before `time() + resolution`. Its nanosecond is less than one step
        # of a double after four months, and then a due timer would never fire.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._now

    @property
    def clock(self) -> LoopClock:
        """A clock on this loop; all of them agree that the loop began at `start_wall_ns`."""
        passed_ns = round((self._now - self._start_s) * 1e9)
        return LoopClock(self, self._start_wall_ns + passed_ns)

    def jump(self, seconds: float | None) -> None:
        """Move time on by `seconds`; None means that no timer is set at all."""
        if seconds is None:
            raise Deadlock(_explain(asyncio.all_tasks(self)))
        self._now += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` here and now: a thread would finish at a moment no seed could repeat."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    async def create_connection(self, *_: Any, **__: Any) -> NoReturn:
        _refuse_sockets()

    async def create_server(self, *_: Any, **__: Any) -> NoReturn:
        _refuse_sockets()


def run(
    coro: Coroutine[Any, Any, T], *, start_s: float = 0.0, start_wall_ns: int = START_WALL_NS
) -> T:
    """Run `coro` to its end in virtual time; like `asyncio.run`, it cancels what is left over."""
    make = functools.partial(VirtualLoop, start_s=start_s, start_wall_ns=start_wall_ns)
    with asyncio.Runner(loop_factory=make) as runner:
        return runner.run(coro)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a plain function of a coroutine function: each call is a `run` of its own."""

    @functools.wraps(test)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return wrapped


def clock() -> LoopClock:
    """The clock of the running virtual loop. TypeError if the running loop is another kind."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError(f"not a virtual loop: {loop!r}")
    return loop.clock


def _explain(tasks: set[asyncio.Task[Any]]) -> str:
    pending = sorted(f"{task.get_name()} at {_place(task)}" for task in tasks if not task.done())
    return "deadlock: nothing is scheduled, pending: " + ("; ".join(pending) or "no task")


def _place(task: asyncio.Task[Any]) -> str:
    """Where it waits: the innermost of our coroutines, not the one the task began with."""
    coro: Any = task.get_coro()
    while inspect.iscoroutine(inner := getattr(coro, "cr_await", None)):
        coro = inner
    frame = getattr(coro, "cr_frame", None)
    if frame is None:
        return repr(coro)
    code = frame.f_code
    return f"{code.co_qualname} ({code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno})"


def _refuse_sockets() -> NoReturn:
    raise RuntimeError("no real sockets in virtual time: use an in-memory transport")
