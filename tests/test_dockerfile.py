"""The image by its recipe: what is in it, who runs it, and that the locks are in step.

Building it takes a container builder; what can be known without one is checked here.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILDERS = re.compile(r"\b(apt|apt-get|apk|pip|pip3|gcc|make|curl|wget|git|npm)\b")
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
Instruction = tuple[str, str]


@cache
def stages() -> tuple[tuple[Instruction, ...], ...]:
    """The instructions of each stage, its FROM first; the first is what stands before all FROM."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[list[Instruction]] = [[]]
    for line in filter(str.strip, joined.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest.strip()))
    return tuple(tuple(stage) for stage in found)


def last(word: str) -> list[str]:
    """What the final stage says with `word`."""
    return [rest for name, rest in stages()[-1] if name == word]


def everything(word: str) -> list[str]:
    return [rest for stage in stages() for name, rest in stage if name == word]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def locked(lock: str) -> dict[str, str]:
    """Names and versions that a lock file pins."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {normal(name): version for name, version in pins}


def wanted(requirement: str) -> str:
    match = NAME.match(requirement)
    assert match is not None, requirement
    return normal(match[0])


@cache
def dependencies(project: str) -> tuple[str, ...]:
    path = ROOT / project / "pyproject.toml"
    return tuple(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["dependencies"])


# -- the image -------------------------------------------------------------------------------


def test_the_image_runs_as_a_user_without_rights_by_number() -> None:
    assert last("USER") == ["65532:65532"]


def test_nothing_is_copied_or_run_after_the_user_is_set() -> None:
    words = [word for word, _ in stages()[-1]]
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])


def test_the_final_stage_uses_no_tool_that_builds() -> None:
    assert not [step for step in last("RUN") if BUILDERS.search(step)]


def test_the_final_stage_needs_no_shell() -> None:
    steps = last("RUN") + last("ENTRYPOINT") + last("CMD")
    assert all(isinstance(json.loads(step), list) for step in steps)


def test_the_final_stage_takes_from_the_build_only_what_runs() -> None:
    sources = [re.sub(r"--\S+\s+", "", copy).split()[0] for copy in last("COPY")]
    assert sources == ["/opt/headway", "/build/empty", "/build/empty"]


def test_the_environment_that_is_shipped_has_no_pip() -> None:
    assert any("venv --without-pip /opt/headway" in step for step in everything("RUN"))


def test_packages_come_from_the_lock_by_hash_and_are_never_compiled() -> None:
    installs = [one for step in everything("RUN") for one in step.split("&&") if " install " in one]
    outside = [one for one in installs if "--no-index" not in one]
    assert outside
    for one in outside:
        assert "--require-hashes" in one
        assert "--only-binary :all:" in one
        assert ".lock" in one


def test_the_base_may_be_chosen_and_has_a_default() -> None:
    assert "BASE_IMAGE=python:3.12-slim-bookworm" in [rest for _, rest in stages()[0]]


def test_everything_shipped_is_compiled_whatever_the_time_stamps() -> None:
    compiled = [step for step in stages()[1] if "compileall" in step[1]]
    assert compiled
    assert "--invalidation-mode unchecked-hash" in compiled[-1][1]
    assert compiled[-1] == [step for step in stages()[1] if step[0] == "RUN"][-1]


def test_the_standard_library_is_compiled_where_the_base_did_not() -> None:
    assert any("compileall" in step and "stdlib" in step for step in last("RUN"))


def test_the_socket_and_the_ledger_are_volumes_of_the_user() -> None:
    volumes = json.loads(last("VOLUME")[0])
    owned = [copy.split()[-1] for copy in last("COPY") if "--chown=65532:65532" in copy]
    assert volumes == owned == ["/run/headway", "/var/lib/headway"]


def test_the_image_serves_and_is_stopped_by_what_drains() -> None:
    assert last("ENTRYPOINT") == ['["headway"]']
    assert last("CMD") == ['["serve"]']
    assert last("STOPSIGNAL") == ["SIGTERM"]


def test_probing_is_left_to_whoever_runs_the_image() -> None:
    assert not everything("HEALTHCHECK")


def test_no_package_registry_is_named() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    hosts = set(re.findall(r"https?://([^/\s\"]+)", text))
    assert hosts <= {"github.com"}
    assert "--index-url" not in text


def test_whatever_is_copied_in_passes_the_ignore_file() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source.replace("daemon.lock", "*.lock").replace("dev.lock", "*.lock")
        for name, rest in stages()[1]
        if name == "COPY"
        for source in rest.split()[:-1]
    }
    assert "*" in lines
    assert copied == allowed


# -- the locks -------------------------------------------------------------------------------


@pytest.mark.parametrize("project", [".", "clients/python"])
def test_every_dependency_is_in_the_daemons_lock(project: str) -> None:
    names = {wanted(requirement) for requirement in dependencies(project)} - {"headway-client"}
    assert not names - set(locked("daemon.lock"))


def test_the_two_locks_pin_the_same_versions() -> None:
    daemon, dev = locked("daemon.lock"), locked("dev.lock")
    assert {name: dev.get(name) for name in daemon} == daemon


def test_every_pin_has_a_hash() -> None:
    for lock in ("daemon.lock", "dev.lock"):
        blocks = re.split(
            r"^(?=[A-Za-z0-9])", (ROOT / "requirements" / lock).read_text(), flags=re.M
        )
        pins = [block for block in blocks if re.match(r"[A-Za-z0-9._-]+==", block)]
        assert not [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin]


def test_what_builds_our_wheels_is_all_locked() -> None:
    """The Dockerfile picks hatchling and all it needs out of dev.lock; pip takes nothing else."""
    picked = {
        normal(name)
        for step in everything("RUN")
        for names in re.findall(r"keep = /\^\(([^)]*)\)==/", step)
        for name in names.split("|")
    }
    assert picked == needed("hatchling")
    assert not picked - set(locked("dev.lock"))


def needed(name: str) -> set[str]:
    """`name` and everything it requires without extras, by what is installed here."""
    found, open_ends = set[str](), [name]
    while open_ends:
        one = normal(open_ends.pop())
        if one not in found:
            found.add(one)
            needs = metadata.requires(one) or []
            open_ends += [wanted(need) for need in needs if ";" not in need]
    return found
