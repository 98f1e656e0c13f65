"""Logging in where it is not known who answers: nothing that tells a stranger the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError

if TYPE_CHECKING:
    from pymysql.connections import Connection

_PLAIN_PASSWORD = ("mysql_clear_password", "dialog")
"""Ways to log in by which PyMySQL would send the password as it is."""
_CACHING, _SHA256 = "caching_sha2_password", "sha256_password"
"""Ways to log in by which it would send the password to whoever shows any certificate or key."""
_KNOWN = b"\x03"
"""What a server says that knows an account by its scramble."""


def ways(proven: bool) -> dict[str, Any]:
    """What answers for plugins by which PyMySQL would tell the password; `proven`: it is known
    whose server this is."""
    found: dict[str, Any] = dict.fromkeys(_PLAIN_PASSWORD, _NotPlain)
    return found if proven else found | {_CACHING: _ScrambleAlone, _SHA256: _NotToStrangers}


def guard(raw: Connection[Any]) -> None:
    """Refuse a server whose greeting has PyMySQL tell the password in its first answer."""
    inside: Any = raw
    respond = inside._request_authentication

    def careful() -> None:
        if inside._auth_plugin_name == _SHA256:
            raise _stranger(_SHA256)
        respond()

    inside._request_authentication = careful


class _NotPlain:
    """What answers a server that asks for the password itself: whoever listens there could."""

    def __init__(self, connection: Connection[Any]) -> None:
        pass

    def authenticate(self, packet: object) -> object:
        raise DeployError(
            "the server asks for the password itself; it was not sent",
            "see who listens at mysql_host, or on the node's mysql_port; the account has to log in "
            "by another plugin than those of PAM or mysql_clear_password",
        )


class _NotToStrangers(_NotPlain):
    """What answers a server that asks for the password under a key of its own choice."""

    def authenticate(self, packet: object) -> object:
        raise _stranger(_SHA256)


class _ScrambleAlone:
    """caching_sha2_password as far as it tells no password: by a scramble of what it is asked.

    A server that does not know the account yet asks for the password itself next, inside TLS or
    under its RSA key; and anybody can have such.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection: Any = connection

    def authenticate(self, packet: Any) -> object:
        from pymysql import _auth

        connection: Any = self._connection
        if packet.is_auth_switch_request():
            salt = packet.read_all().removesuffix(b"\0")
            connection.write_packet(_auth.scramble_caching_sha2(connection.password, salt))
            packet = connection._read_packet()
        if not packet.is_extra_auth_data():
            return packet
        if packet.get_all_data()[1:2] != _KNOWN:
            raise _stranger(_CACHING)
        return connection._read_packet()


def _stranger(plugin: str) -> DeployError:
    return DeployError(
        f"the server asks for the password ({plugin}) and does not prove that it is the database; "
        "the password was not sent",
        "set mysql_ca in config.yaml to the CA certificate of the server; "
        "or leave mysql_host out and name the machine (mysql_node): the way is SSH then",
    )
