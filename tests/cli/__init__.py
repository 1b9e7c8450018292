"""Tests of the commands: as real processes, against a real daemon and a fake provider."""
