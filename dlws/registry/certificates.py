"""Whether the registry's certificate is as it should be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dlws.access.certificates import LEFT, Pair, belong, hosts_of, is_of, lasts

CA_LEFT = timedelta(days=90)
"""A CA with less time left is made anew."""
_LOCAL = ("localhost", "127.0.0.1")


def names(hosts: Sequence[str]) -> list[str]:
    """The names and addresses that the certificate is for: also those by which a machine calls
    itself."""
    return list(dict.fromkeys([*hosts, *_LOCAL]))


def fits(pair: Pair, ca: Pair, hosts: Sequence[str], now: datetime) -> bool:
    """Whether a server's certificate is of this CA, for these names, and not near its end."""
    return (
        lasts(pair.certificate, LEFT, now)
        and belong(pair)
        and is_of(pair.certificate, ca.certificate)
        and hosts_of(pair.certificate) == set(names(hosts))
    )
