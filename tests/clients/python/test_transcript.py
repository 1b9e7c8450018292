"""The buffers against the simplest model there is: a list of deltas, filtered."""

from dataclasses import replace

from headway import AnswerDelta, Delta, ReasoningDelta, RefusalDelta, ToolCallDelta, Transcript
from headway.transcript import ToolCall
from hypothesis import given
from hypothesis import strategies as st

texts = st.text(max_size=5)
deltas = st.one_of(
    st.builds(ReasoningDelta, texts, st.sampled_from(["", "s1", "s2"])),
    st.builds(AnswerDelta, texts),
    st.builds(RefusalDelta, texts),
    st.builds(ToolCallDelta, st.integers(0, 2), texts, texts, texts),
)
seams = st.integers(0, 40)
histories = st.lists(st.one_of(deltas, seams), max_size=40)


def numbered(delta: Delta, sequence: int) -> Delta:
    return replace(delta, sequence=sequence)


def model_of(history: list[Delta | int]) -> list[Delta]:
    """The seam rule, word for word."""
    stands: list[Delta] = []
    for sequence, step in enumerate(history, 1):
        if isinstance(step, int):
            stands = [delta for delta in stands if delta.sequence <= step]
        else:
            stands.append(numbered(step, sequence))
    return stands


def transcript_of(history: list[Delta | int]) -> Transcript:
    transcript = Transcript()
    for sequence, step in enumerate(history, 1):
        if isinstance(step, int):
            transcript.discard_after(step)
        else:
            transcript.add(numbered(step, sequence))
    return transcript


def text_of(stands: list[Delta], kind: type) -> str:
    text = ""
    for delta in stands:
        if type(delta) is kind:
            text += delta.text  # type: ignore[union-attr]
    return text


@given(histories)
def test_the_texts_are_those_of_the_deltas_that_stand(history: list[Delta | int]) -> None:
    transcript, stands = transcript_of(history), model_of(history)
    assert transcript.reasoning == text_of(stands, ReasoningDelta)
    assert transcript.answer == text_of(stands, AnswerDelta)
    assert transcript.refusal == text_of(stands, RefusalDelta)


@given(histories)
def test_the_tool_calls_are_those_of_the_deltas_that_stand(history: list[Delta | int]) -> None:
    calls: dict[int, ToolCall] = {}
    for delta in model_of(history):
        if isinstance(delta, ToolCallDelta):
            old = calls.get(delta.index, ToolCall("", "", ""))
            calls[delta.index] = ToolCall(
                old.id or delta.id, old.name or delta.name, old.arguments + delta.arguments
            )
    assert transcript_of(history).tool_calls == tuple(calls[index] for index in sorted(calls))


@given(histories)
def test_the_signature_is_the_last_that_stands(history: list[Delta | int]) -> None:
    signed = [d.signature for d in model_of(history) if isinstance(d, ReasoningDelta)]
    last = [signature for signature in signed if signature][-1:]
    assert transcript_of(history).signature == "".join(last)


@given(histories, seams)
def test_what_is_discarded_and_what_is_left_make_up_what_was(
    history: list[Delta | int], seam: int
) -> None:
    before, transcript = transcript_of(history), transcript_of(history)
    discarded = transcript.discard_after(seam)
    assert transcript.reasoning + discarded.reasoning == before.reasoning
    assert transcript.answer + discarded.answer == before.answer
    assert transcript.refusal + discarded.refusal == before.refusal


@given(histories, seams)
def test_discarding_twice_is_discarding_once(history: list[Delta | int], seam: int) -> None:
    transcript = transcript_of(history)
    transcript.discard_after(seam)
    assert not transcript.discard_after(seam)
