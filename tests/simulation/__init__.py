"""Seeded worlds in virtual time: the production code, faulty providers, impatient callers.

A run is (seed, commit). `python -m tests.simulation --seed 7` shows one; `make sim SEEDS=100` many.
"""
