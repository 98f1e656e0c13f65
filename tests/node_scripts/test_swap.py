from __future__ import annotations

from pathlib import Path

from tests.support.bash import bash

FSTAB = """# /etc/fstab: static file system information.
UUID=1-2 / ext4 errors=remount-ro 0 1
/swapfile none swap sw 0 0
  /dev/sda2\tswap\tswap\tdefaults 0 0
#/old none swap sw 0 0
server:/swap /mnt/swap nfs defaults 0 0
"""


def test_swap_leaves_fstab_for_good(root: Path) -> None:
    fstab = root / "etc/fstab"
    fstab.write_text(FSTAB)
    fstab.chmod(0o664)
    first = bash("swap_off; finish", root)
    assert first.stdout == f"changed: wrote {fstab}\n"
    text = fstab.read_text()
    assert text.count("# off for Kubernetes: ") == 2
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "UUID=1-2 / ext4 errors=remount-ro 0 1",
        "server:/swap /mnt/swap nfs defaults 0 0",
    ]
    assert fstab.stat().st_mode & 0o777 == 0o664
    assert bash("swap_off; finish", root).stdout == "nothing to do\n"
    assert fstab.read_text() == text


def test_swap_of_the_azure_agent(root: Path) -> None:
    conf = root / "etc/waagent.conf"
    conf.write_text("ResourceDisk.Format=y\nResourceDisk.EnableSwap=y\n")
    bash("swap_off", root)
    assert conf.read_text() == "ResourceDisk.Format=y\nResourceDisk.EnableSwap=n\n"


def test_swap_in_use(root: Path) -> None:
    (root / "proc/swaps").write_text("Filename\n/dev/zram0 partition 1 0 100\n")
    assert "left alone" in bash("swap_off", root, container=True).stdout
    stub = f'swapoff() {{ echo Filename >"{root}/proc/swaps"; }}; swap_off; finish'
    assert bash(stub, root).stdout == "changed: swap is off\n"
    (root / "proc/swaps").write_text("Filename\n/dev/zram0 partition 1 0 100\n")
    done = bash("swapoff() { :; }; swap_off", root)
    assert done.returncode == 1
    assert "/dev/zram0" in done.stderr


UNITS = """
systemctl() {
    echo "$*" >>"$DLWS_ROOT/asked"
    case $1 in
        list-units) echo 'dev-zram0.swap loaded active active /dev/zram0' ;;
        list-unit-files) echo 'zramswap.service enabled enabled' ;;
        is-enabled) cat "$DLWS_ROOT/state-$2" 2>/dev/null || return 1 ;;
        mask) echo masked >"$DLWS_ROOT/state-${*: -1}" ;;
    esac
}
"""


def test_swap_units_are_masked_once(root: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    first = bash(UNITS + "swap_off; finish", root)
    assert first.stdout == "changed: masked dev-zram0.swap\nchanged: masked zramswap.service\n"
    assert bash(UNITS + "swap_off; finish", root).stdout == "nothing to do\n"
