from __future__ import annotations

from tests.support.deploy import Deploy


def test_hooks_run_around_steps_with_their_context(deploy: Deploy) -> None:
    hooks = deploy.directory / "hooks"
    hooks.mkdir()
    for name in ("before-build", "after-build", "on-failure"):
        (hooks / name).write_text('#!/bin/sh\necho "$DLWS_HOOK $DLWS_STEP" >>hooks.log; env >env\n')
        (hooks / name).chmod(0o755)
    deploy("up", "onpremise", "--only", "build")
    assert (deploy.directory / "hooks.log").read_text() == "before-build build\nafter-build build\n"
    told = dict(line.split("=", 1) for line in (deploy.directory / "env").read_text().splitlines())
    (records,) = (deploy.directory / "deploy/runs").iterdir()
    assert (told["DLWS_RUN"], told["DLWS_RECORDS"]) == (records.name, str(records))
    assert told["DLWS_CLUSTER"] == "test" and "up onpremise --only build" in told["DLWS_COMMAND"]
    (hooks / "after-build").write_text("#!/bin/sh\nexit 3\n")
    said = deploy("up", "onpremise", "--only", "build", code=1).stderr
    assert "the hook after-build ended with 3" in said
    assert "on-failure build" in (deploy.directory / "hooks.log").read_text()


def test_a_hook_that_cannot_run_stops_its_step(deploy: Deploy) -> None:
    (deploy.directory / "hooks").mkdir()
    (deploy.directory / "hooks/before-build").write_text("#!/bin/sh\n")
    assert "chmod +x" in deploy("up", "onpremise", "--only", "build", code=1).stderr
    assert not (deploy.directory / "deploy/clusterID.yml").exists()
