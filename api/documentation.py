"""The description of the API for programs and, as a page, for people. All of it comes from here; nothing from afar."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import swagger_ui
from litestar import Response, get
from litestar.params import FromPath

from api.problems import not_found
from api.router import Router

PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Orderly: the HTTP interface</title>
    <link rel="icon" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="page"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
"""

START = """SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


def documentation(describe: Callable[[], dict[str, Any]]) -> Router:
    """Return the routes of the documentation.

    Args:
        describe: returns the API's description; called when it is first asked for.
    """
    folder = Path(swagger_ui.__file__).parent / "static"
    described: list[bytes] = []

    @get("/", media_type="text/html", sync_to_thread=False)
    def page() -> str:
        return PAGE

    @get("/{name:str}", sync_to_thread=False)
    def part(name: FromPath[str]) -> Response[bytes]:
        if name == "openapi.json":
            if not described:
                described.append(msgspec.json.encode(describe()))
            return Response(described[0], media_type="application/json")
        if name == "start.js":
            return Response(START.encode(), media_type="text/javascript")
        if name not in ASSETS:
            raise not_found("nothing is served under this path")
        return Response((folder / name).read_bytes(), media_type=ASSETS[name])

    return Router("/docs", route_handlers=[page, part])
