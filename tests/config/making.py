"""Configurations for tests: a good one, and what is wrong with others."""

from __future__ import annotations

from sidecar.config.load import BadConfig, parse
from sidecar.config.resolve import Resolved, resolve
from sidecar.providers.table import DIALECTS, PROFILES

GOOD = """
listen: [unix:///run/headway/headway.sock, "127.0.0.1:7410"]
providers:
  deepseek:
    accounts:
      team-a:
        keys: [{name: a1, env: KEY_ONE}, {name: a2, file: /run/secrets/two}]
        limits:
          - {requests: 60, per: 60s, burst: 120, each: key}
          - {requests: 20, per: 60s, class: reasoning}
          - {concurrency: 500, models: [deepseek-v4-pro]}
  local:
    dialect: openai-chat
    base_url: http://127.0.0.1:8000/v1/
    accounts: {main: {keys: [{name: l1, env: KEY_TWO}]}}
    models: {"small-*": {price: {input: 0.15, output: "0.60", cached_input: 0.003}}}
routes:
  default: {targets: [deepseek/deepseek-v4-pro, local/small-1], patience: 1m30s}
"""


def resolved(text: str) -> Resolved:
    return resolve(parse(text), PROFILES, set(DIALECTS))


def problems(text: str) -> dict[str, str]:
    """What is wrong with a configuration, by path; {} if nothing is."""
    try:
        resolved(text)
    except BadConfig as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}


def with_provider(fields: str) -> str:
    """A configuration with one provider "p" that has these fields besides what it needs."""
    return f"providers: {{p: {{dialect: openai-chat, base_url: 'http://h/v1', {fields}}}}}"


def with_limit(limit: str) -> str:
    """A configuration with this one limit."""
    return with_provider(f"accounts: {{a: {{keys: [{{name: k, env: K}}], limits: [{limit}]}}}}")


def with_price(price: str) -> str:
    """A configuration with this price for a model."""
    return with_provider(f"models: {{m: {{price: {price}}}}}")


LIMIT = "providers.p.accounts.a.limits[0]"
PRICE = "providers.p.models.m.price"
