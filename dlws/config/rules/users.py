"""Groups of users."""

from __future__ import annotations

from dlws.config.model.config import Config
from dlws.config.problems import closest
from dlws.config.reading.sources import Sources


def groups(config: Config, sources: Sources) -> None:
    if not config.user_groups:
        return
    for key in ("WebUIadminGroups", "WebUIauthorizedGroups", "WebUIregisterGroups"):
        groups: list[str] = getattr(config, _field(key))
        for index, group in enumerate(groups):
            if group not in config.user_groups:
                near = closest(group, config.user_groups)
                hint = f"Did you mean {near}?" if near else "Add it to UserGroups."
                sources.warn((key, index), f"{group} is not one of UserGroups", hint)


def _field(alias: str) -> str:
    return next(name for name, info in Config.model_fields.items() if info.alias == alias)
