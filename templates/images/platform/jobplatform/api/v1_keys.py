"""/api/v1: keys for SSH, and tokens for programs."""

from __future__ import annotations

from datetime import timezone
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import AfterValidator, BaseModel, Field

from jobplatform.api import shapes
from jobplatform.api.security import Me, Reader, Writer
from jobplatform.api.threads import Route
from jobplatform.model import sshkeys
from jobplatform.model.request import Line, no_nul
from jobplatform.store import keys, people

router = APIRouter(route_class=Route, prefix="/api/v1", tags=["people"])
Number = Annotated[int, Path(ge=1, lt=2**31)]
_DAY = 86400


class NewKey(shapes.Strict):
    """A line of a .pub file; without a title, its comment is one."""

    key: Annotated[str, Field(max_length=sshkeys.LONGEST), AfterValidator(no_nul)]
    title: Line | None = None


class Key(BaseModel):
    id: int
    title: str
    fingerprint: str
    key: str
    added: int


@router.get("/keys")
def listing(me: Me, connection: Reader) -> list[Key]:
    """Your public keys for SSH."""
    return [
        Key(id=row.id, title=row.title, fingerprint=row.fingerprint, key=row.publicKey,
            added=int(row.time.replace(tzinfo=timezone.utc).timestamp() * 1000))
        for row in keys.of(connection, me.name)
    ]  # fmt: skip


@router.post("/keys", status_code=201)
def add(given: NewKey, me: Me, connection: Writer) -> dict[str, Any]:
    """Add a public key. Its options are not taken, and a private key is refused."""
    try:
        found = sshkeys.read(given.key)
    except sshkeys.Unfit as error:
        raise HTTPException(422, str(error)) from None
    title = given.title or found.comment or found.kind
    number = keys.add(connection, me.name, title, found)
    people.record(connection, me.name, f"add key {found.fingerprint}", me.name)
    return {"id": number, "fingerprint": found.fingerprint}


@router.delete("/keys/{number}", status_code=204)
def drop(number: Number, me: Me, connection: Writer) -> None:
    """Remove one of your public keys."""
    if not keys.drop(connection, me.name, number):
        raise HTTPException(404, "you have no such key")
    people.record(connection, me.name, f"remove key {number}", me.name)


@router.get("/tokens")
def tokens(me: Me, connection: Reader) -> list[dict[str, Any]]:
    """Your tokens: number, label, end and last use (to ten minutes), never the token itself."""
    return [dict(row._mapping) for row in people.tokens_of(connection, me.name)]


@router.post("/tokens", status_code=201)
def new_token(given: shapes.NewToken, me: Me, connection: Writer) -> shapes.Given:
    """A token for programs. It is shown this once."""
    if len(people.tokens_of(connection, me.name)) >= people.MOST_TOKENS:
        raise keys.Full(f"you have {people.MOST_TOKENS} tokens: end one first")
    token = people.give_token(connection, me.name, given.label, given.days * _DAY)
    people.record(connection, me.name, f"make token {given.label}", me.name)
    return shapes.Given(token=token)


@router.delete("/tokens/{number}", status_code=204)
def drop_token(number: Number, me: Me, connection: Writer) -> None:
    """End one of your tokens."""
    if not people.drop_token(connection, me.name, number):
        raise HTTPException(404, "you have no such token")
    people.record(connection, me.name, f"end token {number}", me.name)
