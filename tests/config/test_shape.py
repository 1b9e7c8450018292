"""From plain data to structs: every mistake at its path."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sidecar.config.shape import shaped


class Leaf(msgspec.Struct, frozen=True, rename={"cls": "class"}):
    name: str
    size: int | None = None
    cls: Literal["", "big"] = ""


class Tree(msgspec.Struct, frozen=True):
    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = {}
    one_or_many: tuple[Leaf, ...] | Leaf | None = None
    free: dict[str, Any] = {}
    text: str = "t"
    ratio: float = 1.0


def told(raw: Any) -> dict[str, str]:
    problems: dict[str, str] = {}
    shaped(raw, Tree, "", problems.__setitem__)
    return problems


def made(raw: Any) -> Tree | None:
    return shaped(raw, Tree, "", lambda path, message: None)


def test_good_data_become_the_struct_with_its_defaults() -> None:
    raw = {"leaves": [{"name": "a", "class": "big"}], "free": {"x": [1]}, "ratio": 2}

    assert made(raw) == Tree((Leaf("a", None, "big"),), free={"x": [1]}, ratio=2.0)


def test_a_section_that_is_empty_has_its_defaults() -> None:
    assert made({"leaves": None, "by_name": None, "text": None}) == Tree()


def test_a_union_of_one_and_many_takes_either() -> None:
    one, many = made({"one_or_many": {"name": "a"}}), made({"one_or_many": [{"name": "a"}]})

    assert (one, many) == (Tree(one_or_many=Leaf("a")), Tree(one_or_many=(Leaf("a"),)))


def test_every_mistake_is_told_at_its_path() -> None:
    raw = {
        "leaves": [{"name": "a", "size": "big"}, {}, "x"],
        "by_name": {"b": {"name": "b", "colour": 1, "class": "small"}},
        "one_or_many": {"name": 7},
        "text": True,
        "strange": 1,
    }

    assert told(raw) == {
        "leaves[0].size": "expected a whole number, without quotes",
        "leaves[1].name": "is missing",
        "leaves[2]": "expected a mapping with name, size, class",
        "by_name.b.colour": "unknown field; known are name, size, class",
        "by_name.b.class": "expected one of '', big",
        "one_or_many.name": "expected a text: put it in quotes",
        "text": "expected a text: put it in quotes",
        "strange": "unknown field; known are leaves, by_name, one_or_many, free, text, ratio",
    }


def test_a_list_where_a_mapping_belongs_is_told() -> None:
    assert told({"by_name": [], "leaves": {}, "free": 3}) == {
        "by_name": "expected a mapping",
        "leaves": "expected a list",
        "free": "expected a mapping",
    }


def test_a_value_is_never_repeated() -> None:
    secret = "sk-planted-1234567890"
    raw = {"leaves": [secret, {"name": "a", "class": secret, "size": secret}], "ratio": secret}

    assert not any(secret in message for message in told(raw).values())
