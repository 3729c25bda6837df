"""Returns: `machine` is the table; beside it stand what a return is, its events, news, guards and actions."""
