"""What machines amount to, and sizes of machines."""

# Annotations are values here, not text: Pydantic would spend a tenth of start-up on reading them.
from pydantic import Field

from dlws.config.model.types import Section, Text


class OnPremise(Section):
    """What the machines of an on-premise cluster amount to."""

    worker_node_num: int | None = Field(default=None, ge=0, description="Number of workers.")
    gpu_count_per_node: int | None = Field(default=None, ge=0, description="GPUs or NPUs per node.")
    gpu_type: Text = Field(default="", description="Maker of the devices.")


class Sku(Section):
    """One size of machines, by which node-group or sku names it."""

    cpu: float | None = Field(default=None, ge=0, description="Processor cores.")
    memory: Text = Field(default="", description="Memory.")
    gpu: int | None = Field(default=None, ge=0, description="GPUs.")
    gpu_memory: Text = Field(default="", description="Memory of its GPUs.")
    gpu_type: Text = Field(
        default="", alias="gpu-type", description="Label gpuType of its machines."
    )
    infiniband: bool = Field(default=False, description="Whether it has InfiniBand.")
