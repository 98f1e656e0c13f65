"""What a service's templates see, and its manifests with that filled in. Nothing connects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dlws.core import templates
from dlws.core.errors import UsageError
from dlws.core.templates import CannotRender
from dlws.images import folder as contexts
from dlws.images import names
from dlws.roles.values import common
from dlws.secrets.redaction import revealed
from dlws.services import manifests, seen
from dlws.services.kinds import Kinds

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dlws.config import Config, Machine
    from dlws.nodes.cluster import Cluster
    from dlws.services.folder import Service
    from dlws.services.manifests import Object

Values = Mapping[str, Any]
SEEN = "docs/services.md says what templates see"


class Templates:
    """Renders services for a cluster; the same values are good for all of them."""

    def __init__(self, cluster: Cluster, kinds: Kinds | None = None) -> None:
        self._cluster, shared = cluster, common(cluster)
        self._common = {**shared, **seen.of(cluster, shared["nodes"])}
        self._kinds = kinds or Kinds()
        machines = [m for m in cluster.config.machines.values() if m.in_cluster]
        self._architectures = sorted({machine.archtype for machine in machines})
        self._contexts = contexts.load_all(cluster.config, cluster.directory)
        self._asked: set[str] = set()

    def architectures(self, service: Service) -> list[str]:
        """The architectures that the cluster has and the service is for."""
        wanted = service.says.architectures
        return [one for one in self._architectures if not wanted or one in wanted]

    def machines(self, service: Service) -> list[Machine]:
        """The machines of the cluster that carry one of the labels of the service."""
        config, nodes = self._common["config"], self._common["nodes"]
        return [one for label in service.says.labels for one in seen.carriers(config, nodes, label)]

    def fits(self, service: Service) -> bool:
        """Whether the cluster has machines that a service is for."""
        says = service.says
        return not (says.architectures and not self.architectures(service)) and not (
            says.labels and not self.machines(service)
        )

    def built(self, service: Service) -> set[str]:
        """The names of the images that the templates of a service ask for, and that we build."""
        return {name for name, source in self.images(service).items() if source == seen.CONTEXT}

    def images(self, service: Service) -> dict[str, str]:
        """Where each image that the templates of a service ask for is had from, by its name."""
        self._asked = set()
        self.objects(service)
        config, given = self._common["config"], service.says.images
        return {one: seen.source(config, given, one, self._contexts) for one in sorted(self._asked)}

    def reference(self, service: Service, name: str) -> str:
        """What an image is called at the registry that has it, which may give it to nodes by
        another address, too."""
        config, given = self._common["config"], service.says.images
        return seen.image(config, given, name, self._contexts, names.reference)

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
        except UsageError as error:
            raise UsageError(f"{source}: {error.message}", error.cure) from error

    def text(self, service: Service, name: str) -> str:
        """The text of a template in a service's folder that is no manifest; it may hold secrets."""
        return templates.render_in(service.templates, name, self._values(service, []))

    def _values(self, service: Service, secrets: list[str]) -> dict[str, Any]:
        def secret(value: SecretStr | str | None) -> str:
            secrets.append(revealed(value) or "")
            return secrets[-1]

        def listed(value: str) -> str:
            self._cluster.run.console.redactor.add([value])
            return secret(value)

        return {
            **self._common,
            "service": {"name": service.name, "namespace": service.says.namespace},
            "architectures": self.architectures(service),
            "image": _images(self._common["config"], service, self._contexts, self._asked),
            "file": _files(service),
            "secret": secret,
            "kept": seen.kept(self._cluster, listed),
        }


def _images(
    config: Config, service: Service, contexts: Mapping[str, object], asked: set[str]
) -> Callable[[str], str]:
    def named(name: str) -> str:
        asked.add(name)
        return seen.image(config, service.says.images, name, contexts)

    return named


def _files(service: Service) -> Callable[[str], str]:
    def read(name: str) -> str:
        if name not in service.files:
            raise UsageError(f"service {service.name} has no file {name}")
        return service.files[name].read_text()

    return read
