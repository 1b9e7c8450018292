"""Who may call: optional caller tokens. Without any, the socket's permissions are the boundary."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from sidecar.core.failure import Reason, RequestFailed
from sidecar.keys.secret import Secret

TOKEN = "headway-token"  # noqa: S105  (the name of the metadata key)


class Access:
    """Several tokens may be valid at once, so that they can be rotated."""

    def __init__(self, tokens: Iterable[Secret] = ()) -> None:
        self._tokens = tuple(token.reveal().encode() for token in tokens)

    def check(self, metadata: Mapping[str, str | bytes]) -> None:
        """Raises RequestFailed (UNAUTHENTICATED) unless a valid token is there or none is asked."""
        if not self._tokens:
            return
        given = metadata.get(TOKEN, "")
        told = given.encode() if isinstance(given, str) else given
        # All are compared, each in constant time: the answer's time tells nothing.
        if not any([hmac.compare_digest(token, told) for token in self._tokens]):
            raise RequestFailed(
                Reason.UNAUTHENTICATED,
                f"metadata {TOKEN} is missing or wrong; send one of the configured caller tokens",
            )
