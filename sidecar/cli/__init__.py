"""Commands: what a person types.

Belongs here: arguments, printing, exit codes. Does not: anything that another program could want.
"""
def main() -> None:
    import os, sys, asyncio, logging
    from pathlib import Path
    from sidecar.app.daemon import Daemon
    from sidecar.app.source import Source
    from sidecar.telemetry.log import Redactor, handler
    import signal, uvloop
    r = Redactor()
    logging.basicConfig(handlers=[handler(sys.stderr, "console", r)], level="INFO")
    async def run():
        d = Daemon(Source(Path(sys.argv[3]), os.environ), os.environ, r)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, d.stop)
        await d.serve()
    uvloop.run(run())
