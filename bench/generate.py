"""Generates the Go stubs of the load generator from proto/ into internal/gen; they are committed.

Run after a change of the protos: .venv/bin/python bench/generate.py (needs Go and grpcio-tools).
"""

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
PROTO = BENCH.parent / "proto"
FILES = [
    f"headway/v1/{name}.proto" for name in ("completion", "event", "message", "request", "usage")
]
PLUGINS = [
    "google.golang.org/protobuf/cmd/protoc-gen-go",
    "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
]
# The protos name the public Go client; these stubs belong to the bench module alone.
PACKAGE = "headway.dev/bench/internal/gen/headwayv1"


def main() -> None:
    subprocess.run(["go", "build", "-o", "bin/", *PLUGINS], cwd=BENCH, check=True)
    mapping = [f"M{name}={PACKAGE}" for name in FILES]
    options = ["module=headway.dev/bench", *mapping]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"]
    for kind in ("go", "go-grpc"):
        command.append(f"--plugin={BENCH}/bin/protoc-gen-{kind}")
        command.append(f"--{kind}_out={BENCH}")
        command += [f"--{kind}_opt={option}" for option in options]
    subprocess.run([*command, *FILES], check=True)


if __name__ == "__main__":
    main()
