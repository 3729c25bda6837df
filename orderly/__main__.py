"""`python -m orderly` and `orderly` are the same command."""

import gc


def main() -> None:
    """Run the command."""
    gc.disable()  # what is imported stays: looking for garbage in it took a third of the time to start
    from orderly.cli import app

    gc.freeze()
    gc.enable()
    app()


if __name__ == "__main__":
    main()
