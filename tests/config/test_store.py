"""Addresses of the common store: what is wrong with them, and what people are shown of them."""

from __future__ import annotations

import pytest

from sidecar.config.schema import StoreConfig
from sidecar.config.store import SCHEMES, own_password, problems
from sidecar.limits.redis import MAKERS

PASSWORD = "planted-5f2"


def wrong(store: StoreConfig) -> list[str]:
    return [problem.path for problem in problems(store)]


def test_every_kind_of_address_that_can_be_written_can_be_connected_to() -> None:
    assert set(SCHEMES) == set(MAKERS)


@pytest.mark.parametrize(
    "url",
    [
        "memory",
        "redis://localhost",
        "redis://u:p%40ss@host:6379/3",
        "rediss://[::1]:6379/0?x=1",
        "unix:///run/redis.sock?db=2",
        "redis+cluster://a:1,b:2,c",
        "redis+sentinel://a,b:26379/mymaster",
        "rediss+sentinel://u:p@a:1,b:2/mymaster/4",
    ],
)
def test_a_good_address_has_no_problem(url: str) -> None:
    assert wrong(StoreConfig(url)) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "redis:localhost",
        "http://localhost",
        "redis://",
        "redis://host:port",
        "redis://host:0",
        "redis://host:6379/first",
        "redis://a:1,b:2",
        "redis://[::1",
        "unix://",
        "redis+cluster://a:1,b:2/0",
        "redis+cluster://a:1,,b:2",
        "redis+sentinel://a:1,b:2",
        "redis+sentinel://a:1/mymaster/0/1",
    ],
)
def test_a_bad_address_is_a_problem_of_the_url(url: str) -> None:
    assert wrong(StoreConfig(url)) == ["store.url"]


def test_no_message_repeats_the_password() -> None:
    for rest in ("host:port", "a:1,b:2", "host/first", "[::1"):
        store = StoreConfig(f"redis://u:{PASSWORD}@{rest}")
        told = [str(problem) for problem in problems(store)]
        assert told
        assert PASSWORD not in "".join(told)


def test_a_password_stands_in_one_place() -> None:
    store = StoreConfig("redis://h", password_file="/f", password_env="E")
    assert wrong(store) == ["store"]


def test_memory_has_no_password() -> None:
    assert wrong(StoreConfig(password_env="E")) == ["store"]


def test_roots_are_for_addresses_with_tls() -> None:
    assert wrong(StoreConfig("redis://h", ca_file="/ca.pem")) == ["store.ca_file"]
    assert wrong(StoreConfig("rediss+cluster://h", ca_file="/ca.pem")) == []


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://h", ""),
        ("redis://user@h", ""),
        ("redis://u:p%40ss@h", "p@ss"),
        ("unix:///s?password=deep&db=1", "deep"),
        ("redis://[::1", ""),
    ],
)
def test_the_password_in_an_address_is_found(url: str, password: str) -> None:
    assert own_password(StoreConfig(url)) == password


def test_people_see_the_place_alone() -> None:
    store = StoreConfig(f"redis+sentinel://u:{PASSWORD}@a:1,b:2/m/0?password={PASSWORD}")
    assert store.place == "redis+sentinel://a:1,b:2/m/0"
    assert PASSWORD not in repr(store)
