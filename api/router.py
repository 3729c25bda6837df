"""Routes that belong together, under one path."""

from typing import Self

import litestar


class Router(litestar.Router):
    """Routes that belong together, made for one application, which takes them as they are.

    The framework would copy them in depth, which took most of the time of making the application.
    """

    def __deepcopy__(self, _memo: object) -> Self:
        return self
