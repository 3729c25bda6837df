"""The front door: settings, composition, the `orderly` command."""
