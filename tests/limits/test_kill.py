"""Pods that die: what they held comes back by itself, and nothing of them stays."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys

import pytest
import redis

from sidecar.limits.bucket import Cost
from sidecar.limits.common import CommonStore
from sidecar.limits.pool import Settings
from sidecar.limits.store import Granted
from sidecar.testing.virtual import VirtualLoop
from tests.limits.fleet import Network, in_virtual_time
from tests.limits.meters import one, requests, seats
from tests.limits.pods import Pod, pods
from tests.limits.servers import Server
from tests.support.machine import Starvation

pytestmark = pytest.mark.redis

# Renewed three times as often: the machine may hold the victim up for two seconds.
LEASE_S = 3.0
# What may go by between a lease's end and the taking of the last seat, seconds.
SLACK_S = 1.0
BUCKET = seats(limit=50)

HOLDER = """
import asyncio, sys
from tests.limits.pods import Pod
from tests.limits.test_kill import BUCKET, LEASE_S

async def main():
    pod = Pod(sys.argv[1], "victim", prefix=sys.argv[2])
    held = await pod.fill(BUCKET, lease_s=LEASE_S)
    print(len(held), flush=True)
    while True:
        await asyncio.sleep(LEASE_S / 3)
        for granted in held:
            pod.store.renew(granted.reservation)

asyncio.run(main())
"""


@pytest.mark.process
async def test_the_seats_of_a_killed_process_are_back_within_their_expiry(
    server: Server,
) -> None:
    async with pods(server.url, 1) as (pod,):
        prefix = pod.prefix
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDER, server.url, prefix, stdout=subprocess.PIPE
        )
        assert victim.stdout is not None
        assert await victim.stdout.readline() == b"50\n"
        assert await pod.fill(BUCKET) == []
        async with Starvation(server.pid) as starved:
            victim.kill()
            await victim.wait()
            killed = pod.clock.now()
            assert len(await seats_again(pod)) == 50
            back = pod.clock.now()
        assert back - killed - starved.waited_s(killed, back) <= LEASE_S + SLACK_S


async def seats_again(pod: Pod) -> list[Granted]:
    """Ask when told to, until every seat is had."""
    granted: list[Granted] = []
    while len(granted) < BUCKET.limit:
        answer = await pod.take(BUCKET)
        if isinstance(answer, Granted):
            granted.append(answer)
        else:
            await asyncio.sleep(max(answer.ask_at - pod.clock.now(), 0.01))
    return granted


def test_a_thousand_killed_pods_leave_nothing_behind(own_server: Server) -> None:
    rate = requests(limit=600_000, burst=10_000)

    async def thousand(loop: VirtualLoop) -> None:
        with own_server.client() as client:
            network = Network(client, random.Random(1))
            settings = Settings(prefix="kill", clock_time=True)

            def pod(number: int) -> CommonStore:
                rng = random.Random(number)
                return CommonStore(loop.clock, network.call, "pod", rng, settings=settings)

            for number in range(1000):
                answer = await pod(number).take([one(BUCKET, rate)], Cost(), lease_s=15.0)
                assert isinstance(answer, Granted)
                kill_everything()
                await asyncio.sleep(1.0)
            await asyncio.sleep(4000.0)
            held = [await pod(-2).take([one(BUCKET, rate)], Cost()) for _ in range(50)]
            assert all(isinstance(answer, Granted) for answer in held)
            assert len(left_in(client)) <= 12
            kill_everything()

    in_virtual_time(thousand)


def kill_everything() -> None:
    """Whatever runs besides the test stops where it stands."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def left_in(client: redis.Redis) -> list[object]:
    """Every field of the pool's hash and every pod still known."""
    fields = [field for key in client.keys("kill:*:s") for field in client.hkeys(key)]  # type: ignore[union-attr]
    return fields + [pod for key in client.keys("kill:*:p") for pod in client.zrange(key, 0, -1)]  # type: ignore[union-attr]
