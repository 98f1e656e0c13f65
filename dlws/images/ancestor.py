"""Contexts of the ancestor's checkout: every text is a template that sees `cnf`, a file copy_dir
names directories to take along, and prebuild.sh expects the checkout four directories up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core import resources, templates
from dlws.core.errors import UsageError
from dlws.core.templates import CannotRender

if TYPE_CHECKING:
    from dlws.config import Config

COPY_DIR = "copy_dir"
_AS_THEY_ARE = (".png", ".in-docker", ".js", ".swf", ".gzip", ".rules", ".tmpl", ".py")
_DEPLOY = "src/ClusterBootstrap/deploy"


class Names(dict[str, dict[str, str]]):
    """cnf["dockers"]["container"]: every name has an image, which is called so."""

    def __init__(self, reference: Callable[[str], str]) -> None:
        super().__init__()
        self._reference = reference

    def __missing__(self, name: str) -> dict[str, str]:
        return {"name": name, "fullname": self._reference(name)}


def values(config: Config, reference: Callable[[str], str]) -> dict[str, Any]:
    """What its templates see: `cnf`, with the keys as config.yaml has them."""
    fields = type(config).model_fields.items()
    cnf = {info.alias or name: getattr(config, name) for name, info in fields}
    images = {"hub": config.dockers.hub, "tag": config.dockers.tag, "container": Names(reference)}
    registries = ("worker-dockerregistry", "infrastructure-dockerregistry")
    usual = dict.fromkeys(registries, config.dockerregistry)
    prefix = {"dockerprefix": config.dockerprefix or "", "dockertag": config.dockertag or "latest"}
    return {"cnf": {**usual, **config.other, **cnf, **prefix, "dockers": images}}


def tree(folder: Path, root: Path) -> Path:
    """A place for a context with the checkout around it, by links; nothing in that is written."""
    checkout, place = folder.parent.parent, root / _DEPLOY / "docker-images" / folder.name
    place.mkdir(parents=True)
    _link(checkout, root / "src", "ClusterBootstrap")
    _link(checkout.parent, root, checkout.name)
    _link(checkout / "ClusterBootstrap", root / "src/ClusterBootstrap", "deploy")
    return place


def _link(source: Path, target: Path, but: str) -> None:
    for path in source.glob("*") if source.is_dir() else ():
        if path.name != but and not (target / path.name).exists():
            (target / path.name).symlink_to(path)


def fill(folder: Path, place: Path, known: Mapping[str, Any]) -> None:
    """Write the files of a folder, and of those that its copy_dir names, with `cnf` filled in."""
    for source in (*_taken_along(folder), folder):
        for name, path in resources.files([source]).items():
            if name != COPY_DIR:
                _write(source, name, path, place / name, known)


def _taken_along(folder: Path) -> list[Path]:
    try:
        words = (folder / COPY_DIR).read_text().split()
    except FileNotFoundError:
        return []
    found = [folder / word for word in words]
    for place in found:
        if not place.is_dir():
            raise UsageError(f"{folder / COPY_DIR} names {place}, which is no directory")
    return found


def _write(source: Path, name: str, path: Path, out: Path, known: Mapping[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    if path.is_symlink():
        out.symlink_to(os.readlink(path))
        return
    content = None if name.endswith(_AS_THEY_ARE) else _text(path)
    if content is None or "{" not in content:
        shutil.copyfile(path, out)
    else:
        out.write_text(_rendered(source, name, path, known))
    out.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


def _rendered(source: Path, name: str, path: Path, known: Mapping[str, Any]) -> str:
    try:
        return templates.render_in((source,), name, known)
    except CannotRender as error:
        where = f"{path}{f':{error.line}' if error.line else ''}"
        raise UsageError(
            f"{where}: {error.why}",
            "templates of docker_sources see cnf, which has the keys of config.yaml: "
            "write what is missing there",
        ) from error
