"""What a local Azure does with machines, scale sets and networks when it is asked to."""

from __future__ import annotations

from dataclasses import replace

from tests.support.arm.arm import Answer, Arm, Asked, paged
from tests.support.arm.world import Body, Refusal, key, resize

KEY = "a/Key+of=the=local-account"
_POWER = {"start": "running", "poweroff": "stopped", "deallocate": "deallocated",
          "restart": "running", "reimage": "running"}  # fmt: skip


def view(one: Body, expand: bool) -> Body:
    shown = {name: value for name, value in one.items()
             if name not in ("power", "instances", "next")}  # fmt: skip
    if expand and "power" in one:
        codes = ["ProvisioningState/succeeded", f"PowerState/{one['power']}"]
        statuses = [{"code": code} for code in codes]
        shown["properties"] = {**shown["properties"], "instanceView": {"statuses": statuses}}
    return shown


def list_all(arm: Arm, asked: Asked, words: Body) -> Answer:
    arm.world.group(words["group"])
    kind = f"{words['provider']}/{words['kind']}".lower()
    expand = asked.query.get("$expand") == "instanceView"
    rows = [view(one, expand) for one in arm.world.of(kind, words["group"])]
    return paged(asked, arm.base, rows)


def get(arm: Arm, asked: Asked, words: Body) -> Answer:
    return Answer(200, view(arm.world.get(asked.path), "$expand" in asked.query))


def put(arm: Arm, asked: Asked, words: Body) -> Answer:
    new = key(asked.path) not in arm.world.resources
    body = view(arm.world.put(asked.path, asked.body, asked.version), False)
    return arm.long(lambda: None, 201 if new else 200, body)


def delete(arm: Arm, asked: Asked, words: Body) -> Answer:
    if "/securityRules/" not in asked.path:
        arm.world.get(asked.path)
    return arm.long(lambda: arm.world.delete(asked.path))


def power(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.world.get(asked.path.rpartition("/")[0])
    state = _POWER[words["verb"].lower()]

    def work() -> None:
        arm.world.hardware.power(found["name"], state)
        found["power"] = state

    return arm.long(work)


def keys(arm: Arm, asked: Asked, words: Body) -> Answer:
    arm.world.get(asked.path.rpartition("/")[0])
    return Answer(200, {"keys": [{"keyName": f"key{at}", "value": f"{KEY}{at}"} for at in (1, 2)]})


def set_action(arm: Arm, asked: Asked, words: Body) -> Answer:
    found, verb = arm.world.get(asked.path.rpartition("/")[0]), words["verb"].lower()
    ids = (asked.body or {}).get("instanceIds") or list(found["instances"])

    def work() -> None:
        for one in ids:
            if verb == "delete":
                del found["instances"][one]
            else:
                found["instances"][one]["power"] = _POWER[verb]
        found["sku"]["capacity"] = len(found["instances"])

    if lacking := [one for one in ids if one not in found["instances"]]:
        raise Refusal(400, "InvalidParameter", f"no instance {lacking[0]}")
    return arm.long(work)


def patch_set(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.world.get(asked.path)
    capacity = asked.body["sku"]["capacity"]
    return arm.long(lambda: resize(arm.world, found, capacity), 200, view(found, False))


def instances(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.world.get(asked.path.rpartition("/")[0])
    rows = []
    for number, one in found["instances"].items():
        statuses = [{"code": f"PowerState/{one['power']}"}]
        host = f"{found['name']}-{int(number):06}"
        rows.append(
            {
                "id": f"{found['id']}/virtualMachines/{number}",
                "instanceId": number,
                "name": f"{found['name']}_{number}",
                "location": found["location"],
                "sku": found["sku"],
                "tags": found["tags"],
                "properties": {
                    "provisioningState": "Succeeded",
                    "osProfile": {"computerName": host},
                    "instanceView": {"statuses": statuses},
                    "protectionPolicy": one["protected"],
                },
            }
        )
    return Answer(200, {"value": rows})


def instance_get(arm: Arm, asked: Asked, words: Body) -> Answer:
    where, _, number = asked.path.rpartition("/")
    rows = instances(arm, replace(asked, path=where), words).body["value"]
    return Answer(200, next(row for row in rows if row["instanceId"] == number))


def instance_put(arm: Arm, asked: Asked, words: Body) -> Answer:
    where, _, number = asked.path.rpartition("/virtualMachines/")
    one = arm.world.get(where)["instances"][number]
    return arm.long(lambda: one.update(protected=asked.body["properties"]["protectionPolicy"]),
                    200, asked.body)  # fmt: skip


def set_nics(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.world.get(asked.path.rpartition("/")[0])
    rows = []
    for number, one in found["instances"].items():
        ip = {"privateIPAddress": one["private"], "primary": True}
        rows.append(
            {
                "name": "nic",
                "properties": {
                    "virtualMachine": {"id": f"{found['id']}/virtualMachines/{number}"},
                    "ipConfigurations": [{"name": "ipconfig", "properties": ip}],
                },
            }
        )
    return Answer(200, {"value": rows})


def set_ips(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.world.get(asked.path.rpartition("/")[0])
    return Answer(200, {"value": [
        {"name": "public", "id": f"{found['id']}/virtualMachines/{number}/networkInterfaces/nic/"
         "ipConfigurations/ipconfig/publicIPAddresses/public",
         "properties": {"ipAddress": one["public"]}}
        for number, one in found["instances"].items()]})  # fmt: skip
