"""`python -m sidecar.testing`: a fake provider on its own."""

import typer

from sidecar.testing.running import main

if __name__ == "__main__":
    typer.run(main)
