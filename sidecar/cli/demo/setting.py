"""Who plays in the demo: three providers that are one fake one, and the routes over them.

north and east speak as DeepSeek does: they continue a chain of thought that was cut. south is a
plain compatible server: it can only begin anew.
"""

from __future__ import annotations

from pathlib import Path

# The models, and the behaviour of the fake provider behind each. Both always tell the same text, so
# that a word too many or too few shows at once. What goes wrong is told to the provider before.
PACE_MS = 12
MODELS = {"sage": "fake-demo", "busy": "fake-demo"}
# One request in so many seconds; a second one gets a 429 that says when to come back. Long enough
# that the second one comes in time on a loaded machine, too.
LIMIT_S = 4
LIMIT = f"sliding:requests:1/{LIMIT_S}:models=busy:name=one-in-{LIMIT_S}-seconds"
# Tokens of a phase after which a provider hangs up.
DIES_THINKING = 45
DIES_ANSWERING = 40
PROVIDERS = ("north", "east", "south")

# The name of the variable with which the conversation goes to DeepSeek itself, and its model there.
REAL_KEY = "DEEPSEEK_API_KEY"
REAL_TARGET = "deepseek/deepseek-flash"

QUESTION = "What is a headway?"
REAL_QUESTIONS = (
    "What is a headway on a railway? Three sentences.",
    "And what has it to do with sending requests to a provider that limits their rate? Three "
    "sentences.",
)

_CONFIG = """\
listen: ["unix://{folder}/headway.sock"]
providers:
  north: &as-deepseek
    dialect: openai-chat
    base_url: {base_url}
    quirks: {{think_tags: "off", thinks_by_default: true, prefix: {{path: /beta/chat/completions,
             message: {{prefix: true}}, reasoning_field: reasoning_content}}}}
    models: {{"*": {{reasoning: true, resume: prefix, price: &price {{input: 0.15, output: 0.60,
             cached_input: 0.003}}}}}}
    accounts: {{north: {{keys: [{{name: n1, file: "{folder}/n1"}}]}}}}
  east:
    <<: *as-deepseek
    accounts: {{east: {{keys: [{{name: e1, file: "{folder}/e1"}}]}}}}
  south:
    dialect: openai-chat
    base_url: {base_url}/v1
    models: {{"*": {{reasoning: true, price: *price}}}}
    accounts: {{south: {{keys: [{{name: s1, file: "{folder}/s1"}}]}}}}
{real}
routes:
  conversation: {{targets: [{target}]}}
  thinking: {{targets: [north/sage, east/sage], retries: 0}}
  answering: {{targets: [north/sage, south/sage], retries: 0}}
  busy: {{targets: [south/busy]}}
ledger: {{path: "{folder}/ledger.db"}}
"""
_REAL = f"  deepseek: {{accounts: {{demo: {{keys: [{{name: d1, env: {REAL_KEY}}}]}}}}}}"
KEYS = {"n1": "sk-demo-north-1", "e1": "sk-demo-east-1", "s1": "sk-demo-south-1"}


def fake_arguments() -> list[str]:
    """The command line of the fake provider, after `headway`."""
    owners = {"n1": "north", "e1": "east", "s1": "south"}
    keys = [f"--key={alias}={secret}@{owners[alias]}" for alias, secret in KEYS.items()]
    models = [f"--model={name}={behaviour}" for name, behaviour in MODELS.items()]
    return ["fake-provider", "--port=0", f"--pace-ms={PACE_MS}", f"--limit={LIMIT}", *keys, *models]


def write(folder: Path, base_url: str, real: bool) -> Path:
    """Write the configuration and the key files; returns the configuration's path."""
    for alias, secret in KEYS.items():
        (folder / alias).write_text(f"{secret}\n")
        (folder / alias).chmod(0o600)
    path = folder / "headway.yaml"
    text = _CONFIG.format(
        folder=folder,
        base_url=base_url,
        real=_REAL if real else "",
        target=REAL_TARGET if real else "north/sage",
    )
    path.write_text(text)
    return path
