"""Commands: what a person types.

Belongs here: arguments, printing, exit codes. Does not: anything that another program could want.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The command `headway`; never returns."""
    from sidecar.cli import serve

    arguments = sys.argv[1:]
    # A daemon must be ready in half a second: what people need besides is imported for them alone.
    options = serve.options_from(arguments[1:]) if arguments[:1] == ["serve"] else None
    if options is not None:
        sys.exit(serve.run(options))
    from sidecar.cli.commands import app
    from sidecar.cli.ending import Failed, complain

    try:
        app()
    except Failed as failure:
        sys.exit(complain(*failure.lines, code=failure.code))
