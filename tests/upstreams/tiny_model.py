"""A language model of 140 kilobytes with random weights, as a GGUF file.

`python tiny_model.py FILE KIND`, in the environment that install.py makes. Its vocabulary is the
bytes, so that whatever it says is text of a kind; a fixed seed makes every file the same. KIND is
"plain", or says what its template has of thoughts: "opened" is one that opens their tag always,
"switched" one whose tag the server knows, because a switch closes it at once.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

SPECIAL = ("<unk>", "<s>", "</s>")
LETTERS = [chr(code) for code in range(32, 127)]
WIDTH, HEADS, LAYERS, INNER, CONTEXT = 32, 2, 1, 64, 512
CLOSED = "</think>"
# Where it would say this letter, a thinking model ends its thoughts: early, and once.
ENDS_THOUGHTS = "n"
# The turns, one a line.
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}THINKING{% endif %}"
)
THINKING = {
    "plain": "",
    "opened": "{{ '<think>' }}",
    "switched": (
        "{% if enable_thinking is defined and not enable_thinking %}{{ '<think></think>' }}"
        "{% else %}{{ '<think>' }}{% endif %}"
    ),
}


def main(path: str, kind: str) -> None:
    """Write the model."""
    thinks = bool(THINKING[kind])
    writer = gguf.GGUFWriter(path, "llama")
    vocabulary(writer, thinks)
    writer.add_chat_template(TEMPLATE.replace("THINKING", THINKING[kind]))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    weights(writer, thinks)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary(writer: gguf.GGUFWriter, thinks: bool) -> None:
    """Three marks, all bytes, and the printable letters: what is likely is readable."""
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *LETTERS[1:]]
    kinds = [2, 3, 3] + [6] * 256 + [1] * len(LETTERS)
    if thinks:
        tokens.append(CLOSED)
        kinds.append(4)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-1.0] * (len(tokens) - 259))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    # Else a blank is put behind every tag of a prompt that the model never wrote.
    writer.add_add_space_prefix(False)
    writer.add_vocab_size(len(tokens))


def weights(writer: gguf.GGUFWriter, thinks: bool) -> None:
    rng = np.random.default_rng(7)
    size = 259 + len(LETTERS)

    def made(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.4, shape).astype(np.float32)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, made(*shape))

    known, output = made(size, WIDTH), made(size, WIDTH)
    # Bytes and marks are never what it means to say.
    output[:259] = 0
    if thinks:
        letter = 259 + LETTERS.index(ENDS_THOUGHTS)
        known = np.vstack([known, known[letter]])
        output = np.vstack([output, 1.05 * output[letter]])
    writer.add_tensor("token_embd.weight", known)
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"{prefix}{name}.weight", WIDTH, WIDTH)
        tensor(f"{prefix}ffn_gate.weight", INNER, WIDTH)
        tensor(f"{prefix}ffn_up.weight", INNER, WIDTH)
        tensor(f"{prefix}ffn_down.weight", WIDTH, INNER)
        writer.add_tensor(f"{prefix}attn_norm.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{prefix}ffn_norm.weight", np.ones(WIDTH, np.float32))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
