"""Shares."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from typing import Literal

from pydantic import Field

from dlws.config.model.types import NodePath, SecretText, Section, Text, Texts


class Mountpoint(Section):
    """One share that every node mounts."""

    type: Literal[
        "nfs",
        "azurefileshare",
        "cifs",
        "glusterfs",
        "sshfs",
        "local",
        "localHDD",
        "emptyDir",
        "hdfs",
    ] = Field(default="nfs", description="Kind of share.")
    server: Text = Field(default="", description="Machine that serves it.")
    filesharename: Text = Field(
        default="", description="Directory on the server; name of the share or volume."
    )
    mountsharename: Text = Field(default="", description="Name of the directory it is mounted on.")
    curphysicalmountpoint: NodePath = Field(default="", description="Where nodes mount it.")
    mountpoints: Texts = Field(
        default=[],
        description="Folders in it; empty: it is the default share, with default-storage-folders.",
    )
    device: Text = Field(default="", description="Device, for local.")
    accountname: Text = Field(default="", description="Azure storage account, or user.")
    accesskey: SecretText | None = Field(
        default=None, description="Its key or password; for sshfs the private key."
    )
    options: Text = Field(default="", description="Mount options; empty: those of mountconfig.")
    vc: Text = Field(default="", description="Virtual cluster it belongs to.")
    autoshare: bool = Field(default=True, description="Whether nodes mount it by themselves.")
    publicshare: bool = Field(default=False, description="Whether every user may write.")
    servername: Text = Field(default="", description="Another name of the server.")
