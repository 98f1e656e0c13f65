"""Paths on nodes: absolute ones, for there is nothing that they could be relative to."""

from __future__ import annotations

import re

from dlws.config.model.config import Config
from dlws.config.model.types import relative, unwritable, writable
from dlws.config.reading.sources import Sources
from dlws.config.rules.walk import at

# Paths in sections that the model leaves free; those it knows are absolute by their type.
_PATHS = (
    *("nfs_disk_mnt/*/path", "nfs_disk_mnt/*/fileshares", "nfs_disk_mnt/*/fileshares/*"),
    *(f"nfs_mnt_setup/*/mnt_point/*/{key}" for key in ("curphysicalmountpoint", "filesharename")),
    *(f"{key}/*/{path}" for key in ("custom_mounts", "deploymounts")
      for path in ("hostPath", "containerPath")),
    *("machines/*/data_disk_mnt_path", "machines/*/fileshares/*/server_path"),
    *("machines/*/fileshares/*/client_mount_root", "machines/*/fileshares/*/client_link_root"),
    *("azure_cluster/nfs_data_disk_path", "azure_cluster/nfs_vm/*/data_disk_mnt_path"),
)  # fmt: skip
# Settings that other programs read, each in its own way.
_SETTINGS = (
    *("docker_daemon/data-root", "docker_daemon/exec-root", "containerd/root", "containerd/state"),
    *(f"kubernetes/kubelet/{key}" for key in (
        "staticPodPath", "volumePluginDir", "podLogsDir", "resolvConf", "tlsCertFile",
        "tlsPrivateKeyFile", "authentication/x509/clientCAFile")),
)  # fmt: skip
_DEVICE = re.compile(r"/|(UUID|LABEL|PARTUUID|PARTLABEL|ID)=.")


def absolute(config: Config, sources: Sources) -> None:
    for patterns, report in ((_PATHS, sources.error), (_SETTINGS, sources.warn)):
        for path, text in at(config, patterns):
            if text and not text.startswith("/"):
                report(path, *relative(text))
            elif not writable(text):
                report(path, *unwritable(text))


def shares(config: Config, sources: Sources) -> None:
    """What a share is called depends on its type: on Azure it is no path."""
    for name, mount in config.mountpoints.items():
        folder, device = mount.filesharename, mount.device
        if folder and mount.type in ("nfs", "local", "localHDD") and not folder.startswith("/"):
            sources.error(("mountpoints", name, "filesharename"), *relative(folder))
        if device and not _DEVICE.match(device):
            words = f'"{device}" is neither the path of a device nor the UUID= or LABEL= of a disk'
            cure = f"Write /dev/{device.removeprefix('dev/')}."
            sources.error(("mountpoints", name, "device"), words, cure)


def socket(config: Config, sources: Sources) -> None:
    place = config.kubernetes.cri_socket
    if place and not place.removeprefix("unix://").startswith("/"):
        path = place.rpartition("://")[2]
        words, _ = relative(place)
        sources.error(("kubernetes", "cri_socket"), words, f"Write unix:///{path.lstrip('./')}.")
