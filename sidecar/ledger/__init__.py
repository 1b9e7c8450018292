"""What every attempt cost: entries, where they are kept, sums over them, and the prices.

Belongs here: the entry, the inbox and the SQLite file that keep it, queries, price data and the
book that answers from it. Does not: multiplying tokens by prices (core.money), deciding what an
attempt used (the gateway), reading configuration, printing.
"""
