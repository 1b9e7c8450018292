"""Every fault of the fake provider, in one table.

Belongs here: the table FAULTS, and functions that turn the steps of a healthy attempt into those
of a faulty one. Does not: sockets, clocks, limits, or the wire formats of healthy streams.
"""

from sidecar.testing.faults.table import FAULTS

__all__ = ["FAULTS"]
