"""The `orderly` command, one module for each group of commands."""
