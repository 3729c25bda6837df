"""`orderly keys`: who may come in."""

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from orderly.commands.opening import AsJson, fail, say, show_json, show_table, table, with_service
from statemachines.declaration import Role

if TYPE_CHECKING:
    from api.keys import NewKey
    from orderly.service import Service

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")

BY = "operator"
"""Who makes and revokes keys at the command line, in the keys' records."""


class KeyRole(StrEnum):
    """The roles that a key can have."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"
    APPROVER = "approver"
    ADMIN = "admin"


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="Whose key it is: a name, as `ann`.")],
    role: Annotated[KeyRole, typer.Option(help="What the key may do.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="For how many days it is valid.")] = 90,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it. It can't be shown again."""
    from api.keys import TooManyKeys

    async def make(service: "Service") -> "NewKey | str":
        try:
            return await service.keys.create(principal, Role(role), BY, timedelta(days=days))
        except TooManyKeys as error:
            return str(error)

    made = with_service(make)
    if isinstance(made, str):
        fail(f"{made}: `orderly keys list`, then `orderly keys revoke ID`")
    if as_json:
        show_json(
            {"id": made.id, "key": made.text, "role": role, "principal": principal, "expires_at": made.expires_at}
        )
    else:
        say(made.text)


@app.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List the newest keys, without their secrets."""
    rows = with_service(lambda service: service.keys.list_keys())
    if as_json:
        show_json(rows)
        return
    shown = table("id", "principal", "role", "made", "expires", "revoked")
    for row in rows:
        times = [row["created_at"], row["expires_at"], row["revoked_at"]]
        shown.add_row(
            str(row["id"]), str(row["principal"]), str(row["role"]), *(str(t)[:10] if t else "-" for t in times)
        )
    show_table(shown)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `orderly keys list`.")],
) -> None:
    """Revoke a key; running servers refuse it within five seconds."""
    plain = key_id.removeprefix("ord_live_").partition("_")[0]
    if not with_service(lambda service: service.keys.revoke(plain, BY)):
        fail(f"there is no active key '{plain}'; `orderly keys list` shows them")
    say(f"{plain} is revoked")
