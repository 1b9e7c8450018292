"""`headway reload` and `headway drain`."""

from __future__ import annotations

import pytest

from tests.cli.home import KEYS, Home, config

pytestmark = pytest.mark.process
NO_PROVIDER = "http://127.0.0.1:9"


def test_a_daemon_is_told_to_read_anew_and_to_end(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))
    with home.running("serve", ready="ready on", extra=KEYS) as daemon:
        same = home.run("reload")
        home.write(config(home, NO_PROVIDER, more="breaker: {consecutive: 3}"))
        changed = home.run("reload")
        home.write("store: nowhere")
        refused = home.run("reload", "--target", home.socket)
        drained = home.run("drain", "--grace", "1s", "--target", home.socket)
        code = daemon.wait()

    assert (same.code, same.out.endswith(", unchanged\n")) == (0, True)
    # The daemon may have seen the change before it was told of it.
    assert changed.code == 0
    assert refused.code == 2
    assert "store.url: expected memory" in refused.err
    assert (drained.out, code) == ("0 requests finished, 0 ended with an error\n", 0)
