"""What the fault tests share."""

from tests.engine.conftest import few_words

__all__ = ["few_words"]
