"""What a service's templates see, and its manifests with that filled in. Nothing connects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dlws.core import templates
from dlws.core.errors import UsageError
from dlws.core.templates import CannotRender
from dlws.roles.values import common
from dlws.secrets.redaction import revealed
from dlws.services import manifests
from dlws.services.kinds import Kinds

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.services.folder import Service
    from dlws.services.manifests import Object

Values = Mapping[str, Any]
SEEN = "templates see config, nodes, service, architectures, image(), file() and secret()"


class Templates:
    """Renders services for a cluster; the same values are good for all of them."""

    def __init__(self, cluster: Cluster, kinds: Kinds | None = None) -> None:
        self._common = common(cluster)
        self._kinds = kinds or Kinds()
        machines = [m for m in cluster.config.machines.values() if m.in_cluster]
        self._architectures = sorted({machine.archtype for machine in machines})

    def architectures(self, service: Service) -> list[str]:
        """The architectures that the cluster has and the service is for."""
        wanted = service.says.architectures
        return [one for one in self._architectures if not wanted or one in wanted]

    def objects(self, service: Service) -> list[Object]:
        """What a service wants in the cluster. UsageError names the file and line at fault."""
        secrets: list[str] = []
        found = [
            document
            for name in service.manifests
            for document in manifests.documents(
                self._text(service, name, secrets), f"{service.name}/{name}"
            )
        ]
        made = manifests.objects(found, service.name, service.says.namespace, self._kinds)
        for one in made:
            if manifests.leaked(one.body, secrets):
                raise UsageError(
                    f"{one.source}: {one.key} would hold a secret that all may read",
                    "put it into a Secret, and have the pod read that (secretKeyRef, or a volume)",
                )
        return made

    def _text(self, service: Service, name: str, secrets: list[str]) -> str:
        source = service.files[name]
        if source.suffix != ".j2":
            return source.read_text()
        try:
            return templates.render_in(service.templates, name, self._values(service, secrets))
        except CannotRender as error:
            line = f":{error.line}" if error.line else ""
            raise UsageError(f"{source}{line}: {error.why}", SEEN) from error

    def _values(self, service: Service, secrets: list[str]) -> dict[str, Any]:
        def secret(value: SecretStr | str | None) -> str:
            secrets.append(revealed(value) or "")
            return secrets[-1]

        return {
            **self._common,
            "service": {"name": service.name, "namespace": service.says.namespace},
            "architectures": self.architectures(service),
            "image": _images(self._common["config"], service),
            "file": _files(service),
            "secret": secret,
        }


def _images(config: Config, service: Service) -> Callable[[str], str]:
    return lambda name: image(config, service.says.images, name)


def image(config: Config, images: Mapping[str, str], name: str) -> str:
    """The reference of an image: dockers.container or dockers.external of config.yaml names it,
    else service.yaml, else it is one of the system's own, by registry and tag of config.yaml.
    """
    for table in (config.dockers.container, config.dockers.external):
        if isinstance(given := table.get(name), str) and given:
            return given
    if name in images:
        return images[name]
    if not config.dockers.tag:
        raise UsageError(f"image {name} has no tag", "set dockers.tag in config.yaml")
    hub = config.dockers.hub
    return f"{hub}{'/' if hub and not hub.endswith(('/', '_')) else ''}{name}:{config.dockers.tag}"


def _files(service: Service) -> Callable[[str], str]:
    def read(name: str) -> str:
        if name not in service.files:
            raise UsageError(f"service {service.name} has no file {name}")
        return service.files[name].read_text()

    return read
