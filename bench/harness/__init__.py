"""The orchestration of the benchmarks: processes, scenarios, figures, the report.

Belongs here: starting and pinning processes, reading /proc, medians over repeats, targets, the
page docs/performance.md. Does not belong here: anything that touches a stream; that is Go
(provider/, load/), because a Python client would be the slowest part of what is measured.
"""
