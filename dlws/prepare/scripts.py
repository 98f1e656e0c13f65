"""What prepares a bare machine: these scripts, in this order."""

SCRIPTS = (
    "prepare_ubuntu.sh",
    "disable_kernel_auto_updates.sh",
    "docker_network_gc_setup.sh",
    "disable_mlocate.sh",
)
