"""Each server as a process: LiteLLM's proxy, Portkey's gateway, llama.cpp's server."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from tests.support.ports import free_port
from tests.upstreams.install import CACHE, GATEWAY, HERE, PYTHON

# A cold start of the largest takes ten seconds on an idle core and took 75 on a busy machine; this
# only ends a hang.
PATIENCE_S = 600.0
MASTER_KEY = "sk-upstreams-not-a-secret-0123456789"
INSTALL = "not installed: run `make upstreams`"


def needs(*paths: Path) -> None:
    """Skip, with the reason, where the server is not installed."""
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        pytest.skip(f"{', '.join(missing)} {INSTALL}")


@asynccontextmanager
async def process(*command: str | Path, ready: str, **variables: str) -> AsyncIterator[str]:
    """The command, running, for as long as the block lasts: the line that said it was ready."""
    running = await asyncio.create_subprocess_exec(
        *(str(word) for word in command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
        cwd=CACHE,
        env={"PATH": os.environ["PATH"], "HOME": str(CACHE), **variables},
    )
    assert running.stdout is not None
    reader = running.stdout
    drained: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = await _line_with(reader, ready)
        drained = asyncio.create_task(_drain(reader))
        yield line
    finally:
        running.kill()
        await running.wait()
        if drained is not None:
            await drained


async def _line_with(reader: asyncio.StreamReader, word: str) -> str:
    said: list[str] = []
    while line := (await reader.readline()).decode("utf-8", "replace"):
        said.append(line)
        if word in line:
            return line.strip()
    raise AssertionError("it did not start: " + "".join(said)[-4000:])


async def _drain(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


@asynccontextmanager
async def litellm(folder: Path, upstream: str) -> AsyncIterator[str]:
    """LiteLLM's proxy before `upstream`, spoken to as DeepSeek: its base URL."""
    command = PYTHON.with_name("litellm")
    needs(command)
    params = {"model": "deepseek/*", "api_base": upstream, "api_key": "sk-any"}
    config = {
        "model_list": [{"model_name": "*", "litellm_params": params}],
        "litellm_settings": {"telemetry": False, "num_retries": 0},
    }
    path = folder / "litellm.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    port = free_port()
    variables = {"LITELLM_MASTER_KEY": MASTER_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    options = ("--config", path, "--host", "127.0.0.1", "--port", str(port))
    async with process(command, *options, ready="Uvicorn running", **variables):
        yield f"http://127.0.0.1:{port}/v1"


@asynccontextmanager
async def portkey() -> AsyncIterator[str]:
    """Portkey's gateway: its base URL. What is behind it is said by headers."""
    node = shutil.which("node")
    needs(GATEWAY, Path(node or "node"))
    port = free_port()
    options = (f"--port={port}", "--headless")
    async with process(str(node), GATEWAY, *options, ready="Ready for connections"):
        yield f"http://127.0.0.1:{port}/v1"


@asynccontextmanager
async def llama(folder: Path, kind: str) -> AsyncIterator[str]:
    """llama.cpp's server with a tiny random model of that kind (tiny_model.py): its base URL."""
    needs(PYTHON)
    model = folder / "tiny.gguf"
    make = await asyncio.create_subprocess_exec(
        str(PYTHON), str(HERE / "tiny_model.py"), str(model), kind
    )
    assert await make.wait() == 0
    serve = HERE / "serve_llama.py"
    async with process(PYTHON, serve, model, ready="serving at") as line:
        yield line.rpartition(" ")[2] + "/v1"
