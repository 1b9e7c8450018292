"""A credential shows itself to nobody but the header of its call."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from pathlib import Path

import msgspec
import pytest

from sidecar.keys.ring import Key, KeyRing
from sidecar.keys.secret import Secret, read_secret

PLAIN = "sk-planted-42"
SECRET = Secret(PLAIN)
KEY = Key("deepseek", "team", "one", SECRET)


@pytest.mark.parametrize(
    "shown",
    [
        repr(SECRET),
        str(SECRET),
        f"{SECRET}",
        f"{SECRET!r:>40}",
        "%s %r" % (SECRET, SECRET),  # noqa: UP031 - the old way of formatting is the point
        "{0} {0!r}".format(SECRET),  # noqa: UP032
        repr(KEY),
        str([SECRET]),
        repr({"a": (KEY,)}),
        repr(KeyRing([KEY]).keys("deepseek")),
    ],
)
def test_no_way_of_writing_it_shows_it(shown: str) -> None:
    assert PLAIN not in shown


def test_a_log_line_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("headway.test").warning("key %s of %r", SECRET, KEY)
    assert PLAIN not in caplog.text
    assert "Secret(...)" in caplog.text


def test_a_traceback_with_it_as_an_argument_does_not_show_it() -> None:
    with pytest.raises(ValueError, match="Secret") as caught:
        raise ValueError(SECRET)
    assert PLAIN not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(SECRET, protocol)


def test_it_is_not_copied_by_way_of_pickle() -> None:
    with pytest.raises(TypeError):
        copy.deepcopy(SECRET)


def test_no_json_holds_it() -> None:
    with pytest.raises(TypeError):
        json.dumps(SECRET)
    with pytest.raises(TypeError):
        msgspec.json.encode(KEY)
    with pytest.raises(TypeError):
        msgspec.msgpack.encode(KEY)
    with pytest.raises(TypeError):
        msgspec.to_builtins(KEY)


def test_it_has_no_dict_to_look_into() -> None:
    assert not hasattr(SECRET, "__dict__")
    assert all(PLAIN not in repr(getattr(SECRET, name, "")) for name in ("value", "_value"))


def test_only_asking_for_it_gives_it() -> None:
    assert SECRET.reveal() == PLAIN


def test_equal_secrets_are_equal_and_hash_alike() -> None:
    assert Secret(PLAIN) == SECRET
    assert hash(Secret(PLAIN)) == hash(SECRET)
    assert Secret("sk-other") != SECRET
    assert SECRET != PLAIN


# -- files -----------------------------------------------------------------------------------


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "key"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"sk-1", b"sk-1\n", b"  sk-1 \r\n\n", b"\tsk-1"])
def test_white_space_around_a_key_in_a_file_is_no_part_of_it(
    tmp_path: Path, content: bytes
) -> None:
    assert read_secret(written(tmp_path, content)) == Secret("sk-1")


@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n"])
def test_an_empty_file_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="empty"):
        read_secret(written(tmp_path, content))


@pytest.mark.parametrize(
    "content", [b"sk-1\nsk-2", b"sk 1", "sk-\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"\xff"]
)
def test_what_no_header_can_carry_is_refused_without_repeating_it(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is looked at below
        read_secret(written(tmp_path, content))
    assert "sk" not in str(caught.value).replace(str(tmp_path), "")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_secret(tmp_path / "nothing")


def test_a_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_secret(tmp_path)
