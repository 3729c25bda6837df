"""What may happen: machines as declarations, decisions as pure functions.

Nothing here does I/O, reads a clock or knows that a database exists.
"""
