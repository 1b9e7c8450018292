"""What both kinds of stream show of their state."""

from headway._state import StreamState
from headway.transcript import Partial, Result, ToolCall


class StreamView:
    """What is known of a stream so far. Every text is what stands after the seam rule."""

    _state: StreamState

    @property
    def request_id(self) -> str:
        """The request's id: to attach to it again, also from another process. "" if it has none."""
        return self._state.request_id

    @property
    def reasoning(self) -> str:
        return self._state.transcript.reasoning

    @property
    def answer(self) -> str:
        return self._state.transcript.answer

    @property
    def refusal(self) -> str:
        return self._state.transcript.refusal

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return self._state.transcript.tool_calls

    @property
    def partial(self) -> Partial:
        """Everything delivered so far."""
        return self._state.partial

    @property
    def result(self) -> Result:
        """The whole answer. RuntimeError before its end."""
        return self._state.result
