"""The shares that nodes mount, as mountpoints of config.yaml say: what, where, how. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from posixpath import normpath
from typing import TYPE_CHECKING

from dlws.config.addresses import address_of
from dlws.config.standins import stand_in
from dlws.shell.units import escaped, written

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dlws.config.model.config import Config
    from dlws.config.model.machines import Machine
    from dlws.config.model.storage import Mountpoint

KEYS = (
    *("mountpoints", "mountconfig", "physical-mount-path", "storage-mount-path"),
    *("dltsdata-storage-mount-path", "default-storage-folders", "stand_in_shares"),
)
"""The keys of config.yaml that say so."""
SMB = ("azurefileshare", "cifs")
REMOTE = (*SMB, "nfs", "glusterfs", "sshfs")
OWN_DISK = ("local", "localHDD")
FILES = "/etc/dlws/mounts"
"""Where nodes keep the credentials of shares."""
_EMPTY = "/var/lib/dlws/empty"
_FILE_SYSTEMS = {"nfs": "nfs", "glusterfs": "glusterfs", "sshfs": "fuse.sshfs"}
_OPTIONS = {
    # A file system that gives up would lose what programs believe to have written. retry=0: what
    # fails to mount is tried again at the next access, not in between.
    "nfs": "hard,tcp,timeo=150,retrans=3,retry=0",
    "cifs": "vers=3.0,serverino,soft,dir_mode=0777,file_mode=0777",
    "glusterfs": "",
    "sshfs": "allow_other,default_permissions,reconnect,ServerAliveInterval=15,"
    "ServerAliveCountMax=3,ConnectTimeout=10,BatchMode=yes,StrictHostKeyChecking=accept-new,"
    f"UserKnownHostsFile={FILES}/known_hosts",
}
_DISKS = {"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid",
          "PARTLABEL": "by-partlabel", "ID": "by-id"}  # fmt: skip
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Mount:
    """One share on one node."""

    name: str
    type: str
    what: str
    where: str
    file_system: str
    options: str
    remote: bool
    source: str = ""
    """A directory of this node that has to be there first."""
    stands_for: str = ""
    """What a rehearsal would mount, if it could; `what` is a directory in its place."""
    folders: tuple[str, ...] = ()
    """Paths of directories within it."""
    links: tuple[tuple[str, str], ...] = ()
    account: str = ""
    secret: SecretStr | None = field(default=None, repr=False)

    @property
    def mounted(self) -> bool:
        """Whether there is something to mount: a server may have the share in its place."""
        return self.what != self.where

    @property
    def shown(self) -> str:
        """What is mounted, for people."""
        return f"{self.what}, a stand-in for {self.stands_for}" if self.stands_for else self.what

    @property
    def unit(self) -> str:
        """The name of its units, without .mount or .automount."""
        return escaped(self.where)

    @property
    def file(self) -> str:
        return file_of(self.name)

    @property
    def in_unit(self) -> dict[str, str]:
        """Its texts as a unit file has them."""
        names = ("name", "what", "where", "options")
        return {name: written(getattr(self, name)) for name in names}


def file_of(name: str) -> str:
    """A share's name as that of a file, and in a list of options."""
    return name if _SAFE.fullmatch(name) else sha256(name.encode()).hexdigest()[:16]


def active(config: Config) -> dict[str, Mountpoint]:
    """The shares that nodes mount by themselves."""
    shares = config.mountpoints.items()
    return {name: one for name, one in shares if one.autoshare and not missing(one)}


def missing(share: Mountpoint) -> tuple[str, str] | None:
    """What is wrong with a share that nodes cannot mount for want of a value, and the cure."""
    kind = share.type
    if kind == "hdfs":
        return "nodes do not mount hdfs", "use nfs or glusterfs, or mount it by other means"
    if kind == "azurefileshare" and not (share.accountname and share.accesskey):
        cure = "write accountname: ACCOUNT and accesskey: env:SHARE_KEY"
        return "it needs the storage account and its key", cure
    if kind in REMOTE and kind != "azurefileshare" and not servers(share):
        return "it needs a server", "write server: MACHINE"
    if kind in REMOTE and not share.filesharename:
        return "the share of the server is not named", "write filesharename: NAME"
    if kind in OWN_DISK and not (share.device or share.filesharename):
        cure = "write device: /dev/DISK, or filesharename: /A/DIRECTORY"
        return "neither a device nor a directory of the nodes is named", cure
    return None


def incomplete(config: Config) -> Iterator[tuple[str, str, str]]:
    """The shares that nodes are asked to mount and cannot: name, what is wrong, cure."""
    for name, share in config.mountpoints.items():
        if share.autoshare and (found := missing(share)):
            yield (name, *found)


def mounts_of(config: Config, machine: Machine, hosts: Mapping[str, str]) -> tuple[Mount, ...]:
    """What a machine mounts."""
    own = _names(machine, hosts)
    all_names = set[str]().union(*(_names(m, hosts) for m in config.machines.values()))
    found: list[Mount] = []
    for name, share in active(config).items():
        hosts_of_it = {server.rpartition("@")[2] for server in servers(share)}
        serves = bool(own & hosts_of_it)
        made = _mount(config, name, share, serves)
        root = config.stand_in_shares
        place = stand_in(root, file_of(name), share, bool(hosts_of_it & all_names))
        found += _standing_in(made, place, share, serves) if place else [made]
    return tuple(found)


def _names(machine: Machine, hosts: Mapping[str, str]) -> set[str]:
    names = (machine.name, machine.fqdn, address_of(machine, dict(hosts)), machine.public_ip)
    return set(filter(None, names))


def _standing_in(mount: Mount, place: str, share: Mountpoint, serves: bool) -> Iterator[Mount]:
    """The mount of a directory in a share's place; an NFS server sees it where it serves it."""
    meant = replace(
        mount,
        what=place,
        file_system="none",
        options="bind,nofail",
        remote=False,
        source=place,
        stands_for=mount.what if share.type in OWN_DISK else _what(share),
        secret=None,
    )
    served = normpath(share.filesharename)
    if share.type == "nfs" and serves and served != mount.where:
        yield replace(meant, where=served, folders=(), links=())
    yield meant


def servers(share: Mountpoint) -> list[str]:
    return share.server.replace(",", " ").split()


def where(config: Config, name: str, share: Mountpoint) -> str:
    """The directory that a share is mounted on."""
    given = share.curphysicalmountpoint or share.mountsharename or name
    path = given if given.startswith("/") else f"{config.physical_mount_path}/{given}"
    return "/" + normpath(path).lstrip("/")


def folders(config: Config, name: str) -> list[str]:
    """The folders in a share; those of the default share are default-storage-folders."""
    given = config.mountpoints[name].mountpoints
    if given or name not in default_shares(config)[:1]:
        return given
    return config.default_storage_folders


def default_shares(config: Config) -> list[str]:
    """The shares that ask to be the default one: they have no folders of their own."""
    candidates = [
        name
        for name, share in active(config).items()
        if not share.mountpoints and not share.vc and share.type != "emptyDir"
    ]
    asking = [n for n in candidates if "mountpoints" in config.mountpoints[n].model_fields_set]
    return asking or (candidates if len(candidates) == 1 else [])


def links(config: Config, name: str) -> list[tuple[str, str]]:
    """The links that lead into a share: path and target; those of a virtual cluster in its own."""
    share, at = config.mountpoints[name], where(config, name, config.mountpoints[name])
    root = config.storage_mount_path
    if share.vc:
        root = f"{config.dltsdata_storage_mount_path}/{share.vc}"
    inside = folders(config, name)
    found = [(f"{root}/{folder}", f"{at}/{folder}") for folder in inside]
    if not inside:
        found = [(f"{root}/{name}", at)]
    return [(path, target) for path, target in found if normpath(path) != normpath(target)]


def _mount(config: Config, name: str, share: Mountpoint, serves: bool) -> Mount:
    at = where(config, name, share)
    inside = tuple(f"{at}/{folder}" for folder in folders(config, name))
    what, system, options = _source(config, name, share, serves)
    return Mount(
        name,
        share.type,
        what,
        at,
        system,
        options,
        remote="_netdev" in options.split(","),
        source=what if share.type == "emptyDir" else "",
        folders=inside,
        links=tuple(links(config, name)),
        account=share.accountname,
        secret=share.accesskey,
    )


def _source(config: Config, name: str, share: Mountpoint, serves: bool) -> tuple[str, str, str]:
    """What is mounted, as which type of file system, with which options."""
    if share.type == "emptyDir":
        return f"{_EMPTY}/{file_of(name)}", "none", "bind,nofail"
    if share.type == "nfs" and serves:
        # Over NFS it would wait for itself, when memory is short.
        return normpath(share.filesharename), "none", "bind,nofail"
    if share.type in OWN_DISK:
        return _own_disk(config, share)
    options = ",".join(filter(None, [_options(config, share), *_needed(name, share)]))
    return _what(share), _FILE_SYSTEMS.get(share.type, "cifs"), options


def _own_disk(config: Config, share: Mountpoint) -> tuple[str, str, str]:
    """What of the node's own is mounted: a disk, or a directory."""
    options = _options(config, share)
    if not share.device:
        return normpath(share.filesharename), "none", _merged("bind,nofail", options)
    kind, equals, value = share.device.partition("=")
    if not equals or kind not in _DISKS:
        return share.device, "auto", _merged("nofail", options)
    return f"/dev/disk/{_DISKS[kind]}/{_by_udev(value)}", "auto", _merged("nofail", options)


def _by_udev(value: str) -> str:
    """The name of a disk as udev writes it into /dev/disk."""
    return "".join(
        c if c.isalnum() or c in "#+-.:=@_" or ord(c) > 127 else f"\\x{ord(c):02x}"
        for c in value.strip('"')
    )


def _what(share: Mountpoint) -> str:
    folder = share.filesharename
    if share.type in SMB:
        server = share.server or f"{share.accountname}.file.core.windows.net"
        return f"//{server}/{folder.strip('/')}"
    server = servers(share)[0]
    user, at, host = server.rpartition("@")
    host = f"[{host}]" if ":" in host else host
    if share.type == "sshfs":
        user, at = user or share.accountname, "@" if user or share.accountname else ""
    if share.type == "glusterfs":
        folder = f"/{folder.lstrip('/')}"
    return f"{user}{at}{host}:{folder}"


def _options(config: Config, share: Mountpoint) -> str:
    """The options that are asked for, over those that are good for the type."""
    kind = "cifs" if share.type in SMB else share.type
    section = config.mountconfig.get(share.type) or config.mountconfig.get(kind) or {}
    said = section.get("options") if isinstance(section, Mapping) else section
    return _merged(_OPTIONS.get(kind, ""), share.options or str(said or ""))


def _merged(base: str, given: str) -> str:
    """Options, those given in the place of the same of the base."""
    named = {word.partition("=")[0] for word in given.split(",")}
    if named & {"soft", "hard"}:
        named |= {"soft", "hard"}
    kept = [word for word in base.split(",") if word and word.partition("=")[0] not in named]
    return ",".join([*kept, *(word.strip() for word in given.split(",") if word.strip())])


def _needed(name: str, share: Mountpoint) -> Iterator[str]:
    """Options without which it would not work: the network first, credentials by file."""
    yield from ("_netdev", "nofail")
    place = f"{FILES}/{file_of(name)}"
    if share.type in SMB and share.accesskey:
        yield f"credentials={place}.credentials"
    if share.type == "sshfs" and share.accesskey:
        yield f"IdentityFile={place}.key"
    if share.type == "glusterfs" and (others := servers(share)[1:]):
        yield f"backup-volfile-servers={':'.join(others)}"
