"""`python -m orderly` is the `orderly` command."""

from orderly.cli import app

if __name__ == "__main__":
    app()
