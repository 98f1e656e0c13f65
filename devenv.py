#!/usr/bin/env python3
"""Open a shell in the devbox: an image with all that deploy.py needs, and nothing on this machine.

usage: python3 devenv.py [COMMAND [ARGUMENT]...]

Builds the image of templates/devbox, unless it is there as it lies here, and runs a shell
(or COMMAND) in it: as you, in this directory, with this machine's network, and with its Docker, so
that whoever may use it is root on this machine. It needs Docker and Python 3.6, and no package.
DLWS_DEVBOX_BASE names another image to build on than debian:12-slim.
"""

import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent
CONTEXT = CHECKOUT / "templates/devbox"
PASSED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""What of the environment counts in the devbox, too."""


def context(folder, base):
    """The build context as a tar, and the tag of what it makes: it changes with any file of it."""
    out, digest = io.BytesIO(), hashlib.sha256(base.encode())
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
            member = tarfile.TarInfo(path.name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue(), f"dlws/devbox:{digest.hexdigest()[:12]}"


def build_line(tag, base, environment):
    """The command that builds the image from a context on standard input."""
    arguments = [f"BASE={base}"] if base else []
    arguments += [name for name in (*PASSED, "PIP_INDEX_URL") if environment.get(name)]
    options = [word for one in arguments for word in ("--build-arg", one)]
    return ["docker", "build", "--network=host", "--tag", tag, *options, "-"]


def run_line(tag, place, user, words, environment, terminal, socket=None):
    """The command that runs the devbox: `user` are the numbers of user and group; `socket` is where
    Docker listens, with the number of the group that may ask it."""
    mounts, hidden = dict.fromkeys([str(CHECKOUT), str(place)]), CHECKOUT / ".venv"
    line = ["docker", "run", "--rm", "--interactive", *(["--tty"] if terminal else [])]
    line += ["--network=host", "--hostname=devbox", "--user={}:{}".format(*user)]
    line += [f"--volume={mount}:{mount}" for mount in mounts]
    line += [f"--workdir={place}"]
    if hidden.is_dir():  # the checkout's own is for this machine's Python
        line += [f"--tmpfs={hidden}"]
    if socket:
        line += [f"--volume={socket[0]}:/var/run/docker.sock", f"--group-add={socket[1]}"]
    for name in (*PASSED, "TERM", "USER", "LOGNAME"):
        if environment.get(name):
            line += ["--env", name]
    return [*line, tag, *(words or ["bash"])]


def docker_socket(environment):
    """Where Docker listens on this machine and its group; None where it is another machine's."""
    host = environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    path = host[len("unix://") :] if host.startswith("unix://") else ""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (path, found.st_gid) if stat.S_ISSOCK(found.st_mode) else None


def main(words):
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    base, place = os.environ.get("DLWS_DEVBOX_BASE", ""), Path.cwd()
    archive, tag = context(CONTEXT, base)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        there = subprocess.run(["docker", "image", "inspect", tag], check=False, **quiet)
    except OSError:
        return failed("docker is missing", "./scripts/prepare_ubuntu_dev.sh installs it")
    if there.returncode:
        done = subprocess.run(build_line(tag, base, os.environ), input=archive, check=False)
        if done.returncode:
            return failed(
                "the devbox could not be built",
                "read what Docker says above, "
                "or prepare this machine itself: ./scripts/prepare_ubuntu_dev.sh",
            )
    user, socket = (os.getuid(), os.getgid()), docker_socket(os.environ)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    line = run_line(tag, place, user, words, os.environ, terminal, socket)
    return subprocess.run(line, check=False).returncode


def failed(what, cure):
    print(f"error: {what}\ncure: {cure}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
