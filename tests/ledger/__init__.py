"""Tests of the ledger and of the prices."""
