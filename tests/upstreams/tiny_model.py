"""A language model of 140 kilobytes with random weights, as a GGUF file.

`python tiny_model.py FILE [thinking]`, in the environment that install.py makes. Its vocabulary
is the bytes, so that whatever it says is text of a kind; a fixed seed makes every file the same.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

SPECIAL = ("<unk>", "<s>", "</s>")
LETTERS = [chr(code) for code in range(32, 127)]
WIDTH, HEADS, LAYERS, INNER, CONTEXT = 32, 2, 1, 64, 512
# The turns, one a line; where it thinks, the template opens the tag itself.
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: THINKING' }}{% endif %}"
)


def main(path: str, thinking: bool) -> None:
    """Write the model."""
    writer = gguf.GGUFWriter(path, "llama")
    vocabulary(writer)
    writer.add_chat_template(TEMPLATE.replace("THINKING", "<think>" if thinking else ""))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    weights(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary(writer: gguf.GGUFWriter) -> None:
    """Three marks, all bytes, and the printable letters: what is likely is readable."""
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *LETTERS[1:]]
    kinds = [2, 3, 3] + [6] * 256 + [1] * len(LETTERS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-1.0] * len(LETTERS))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_vocab_size(len(tokens))


def weights(writer: gguf.GGUFWriter) -> None:
    rng = np.random.default_rng(7)
    size = 259 + len(LETTERS)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 0.4, shape).astype(np.float32))

    tensor("token_embd.weight", size, WIDTH)
    output = rng.normal(0, 0.4, (size, WIDTH)).astype(np.float32)
    # Bytes and marks are never what it means to say.
    output[:259] = 0
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
    main(sys.argv[1], "thinking" in sys.argv[2:])
