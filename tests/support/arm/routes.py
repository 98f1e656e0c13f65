"""What a local Azure answers to which request."""

from __future__ import annotations

from tests.support.arm import machines, templates
from tests.support.arm.arm import Answer, Arm, Asked, Route, paged
from tests.support.arm.contract import (
    COMPUTE,
    DEPLOYMENTS,
    GROUP,
    GROUPS,
    NETWORK,
    STORAGE,
    of_body,
)
from tests.support.arm.templates import Deployment
from tests.support.arm.world import (
    NAME,
    SCALE_SET,
    SUBSCRIPTION,
    VM,
    Body,
    Refusal,
    parsed,
)

_ROOT = "/subscriptions/[^/]+"
_GROUP = f"{_ROOT}/resourcegroups/(?P<group>[^/]+)"


def _operation(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.operations[words["number"]]
    headers = {"retry-after-ms": "5"}
    if found[0] > 0:
        found[0] -= 1
        return Answer(200, {"status": "InProgress"}, headers)
    if found[2] is None:
        try:
            found[1]()
            found[2] = {"status": "Succeeded"}
        except Refusal as refusal:
            found[2] = {"status": "Failed", "error": refusal.error}
    return Answer(200, found[2])


def _subscriptions(arm: Arm, asked: Asked, words: Body) -> Answer:
    return Answer(200, {"value": [_SUBSCRIPTION]})


def _subscription(arm: Arm, asked: Asked, words: Body) -> Answer:
    if words["id"] != SUBSCRIPTION:
        raise Refusal(404, "SubscriptionNotFound", f"{words['id']} could not be found.")
    return Answer(200, _SUBSCRIPTION)


_SUBSCRIPTION = {"subscriptionId": SUBSCRIPTION, "displayName": NAME, "state": "Enabled"}


def _put_group(arm: Arm, asked: Asked, words: Body) -> Answer:
    if wrong := of_body(GROUP, asked.body):
        raise Refusal(400, "InvalidRequestContent", "; ".join(wrong))
    where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{words['group']}"
    body = {"id": where, "name": words["group"], **asked.body}
    arm.world.groups[words["group"].lower()] = body
    return Answer(201, body)


def _get_group(arm: Arm, asked: Asked, words: Body) -> Answer:
    return Answer(200, arm.world.group(words["group"]))


def _delete_group(arm: Arm, asked: Asked, words: Body) -> Answer:
    group, world = words["group"].lower(), arm.world
    world.group(group)

    def work() -> None:
        for one in world.of(VM, group):
            world.hardware.off(one["name"])
        for where in [where for where in world.resources if parsed(where)[0] == group]:
            del world.resources[where]
        del world.groups[group]

    answer = arm.long(work)
    place = answer.headers.pop("Azure-AsyncOperation").replace("/operations/", "/ends/")
    return Answer(202, None, {"Location": place, "retry-after-ms": "5"})


def _ends(arm: Arm, asked: Asked, words: Body) -> Answer:
    answer = _operation(arm, asked, words)
    if answer.body["status"] == "InProgress":
        return Answer(202, None, {**answer.headers, "Location": f"{arm.base}{asked.path}?x=y"})
    return Answer(200, answer.body.get("body"))


def _list_resources(arm: Arm, asked: Asked, words: Body) -> Answer:
    arm.world.group(words["group"])
    rows = []
    for one in arm.world.resources.values():
        _, kind, name = parsed(one["id"])
        if kind.count("/") == 1 and parsed(one["id"])[0] == words["group"].lower():
            row = {"id": one["id"], "name": name, "type": one["type"], "location": "westus2",
                   "tags": one.get("tags") or {}, "managedBy": one.get("managedBy")}  # fmt: skip
            if asked.query.get("$expand") == "provisioningState":
                row["provisioningState"] = one["properties"]["provisioningState"]
            rows.append(row)
    return paged(asked, arm.base, rows)


def _provider(arm: Arm, asked: Asked, words: Body) -> Answer:
    state = arm.world.providers.get(words["name"].lower(), "NotRegistered")
    return Answer(200, {"namespace": words["name"], "registrationState": state})


def _put_deployment(arm: Arm, asked: Asked, words: Body) -> Answer:
    arm.world.group(words["group"])
    before = arm.deployments.get(words["name"])
    if before and before.state == "Running":
        raise Refusal(409, "DeploymentActive", f"The deployment {words['name']} is active.")
    found = templates.read(arm.world, words["group"], words["name"], asked.body)
    found.held = arm.held
    arm.deployments[words["name"]] = found
    return Answer(201, found.view())


def _deployment(arm: Arm, words: Body) -> Deployment:
    if words["name"] not in arm.deployments:
        raise Refusal(404, "DeploymentNotFound", f"Deployment '{words['name']}' not found.")
    return arm.deployments[words["name"]]


def _get_deployment(arm: Arm, asked: Asked, words: Body) -> Answer:
    arm.world.group(words["group"])
    found = _deployment(arm, words)
    view = found.view()
    found.step(arm.world)
    return Answer(200, view, {"retry-after-ms": "5"})


def _deployment_operations(arm: Arm, asked: Asked, words: Body) -> Answer:
    return paged(asked, arm.base, _deployment(arm, words).rows())


def _validate(arm: Arm, asked: Asked, words: Body) -> Answer:
    templates.read(arm.world, words["group"], words["name"], asked.body)
    return Answer(200, {"properties": {"provisioningState": "Succeeded"}})


def _what_if(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = templates.read(arm.world, words["group"], words["name"], asked.body)
    changes = templates.what_if(arm.world, found)
    return Answer(200, {"status": "Succeeded", "properties": {"changes": changes}})


def _skus(arm: Arm, asked: Asked, words: Body) -> Answer:
    return Answer(200, {"value": arm.world.sizes if "westus2" in asked.query["$filter"] else []})


def _usages(arm: Arm, asked: Asked, words: Body) -> Answer:
    return Answer(200, {"value": arm.world.usages})


def _image_list(arm: Arm, asked: Asked, words: Body) -> Answer:
    found = arm.world.images.get("/".join(words[n] for n in ("p", "o", "s")).lower())
    if found is None:
        raise Refusal(404, "NotFound", f"Artifact: VMImage was not found: {words['o']}")
    rows = sorted(found, reverse="desc" in asked.query.get("$orderby", ""))
    return Answer(200, [{"name": one, "id": one, "location": "westus2"} for one in
                        rows[: int(asked.query.get("$top", "99"))]])  # fmt: skip


def _dns(arm: Arm, asked: Asked, words: Body) -> Answer:
    return Answer(200, {"available": asked.query["domainNameLabel"] not in arm.world.taken})


_DEPLOYMENT = f"{_GROUP}/providers/Microsoft.Resources/deployments/(?P<name>[^/]+)"
_LOCATION = f"{_ROOT}/providers/Microsoft.Compute/locations/(?P<location>[^/]+)"
_IMAGE = f"{_LOCATION}/publishers/(?P<p>[^/]+)/artifacttypes/vmimage/offers/(?P<o>[^/]+)/skus/"
_ANY = f"{_GROUP}/providers/(?P<provider>[^/]+)/(?P<kind>[^/]+)"
_VM = f"{_GROUP}/providers/{VM}/[^/]+"
_SET = f"{_GROUP}/providers/{SCALE_SET}/[^/]+"
_VERB = "(?P<verb>start|powerOff|deallocate|restart|reimage)"
_ACCOUNT = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/[^/]+"
_COMPUTE, _NETWORK = (
    f"{_GROUP}/providers/Microsoft.Compute",
    f"{_GROUP}/providers/Microsoft.Network",
)
ROUTES: list[Route] = [
    ("GET", "/subscriptions", "2022-12-01", _subscriptions),
    ("GET", "/subscriptions/(?P<id>[^/]+)", "2022-12-01", _subscription),
    ("GET", f"{_ROOT}/operations/(?P<number>.*)", "", _operation),
    ("GET", f"{_ROOT}/ends/(?P<number>.*)", "", _ends),
    ("PUT", _GROUP, GROUPS, _put_group),
    ("GET", _GROUP, GROUPS, _get_group),
    ("DELETE", _GROUP, GROUPS, _delete_group),
    ("GET", f"{_GROUP}/resources", GROUPS, _list_resources),
    ("GET", f"{_ROOT}/providers/(?P<name>[^/]+)", GROUPS, _provider),
    ("PUT", _DEPLOYMENT, DEPLOYMENTS, _put_deployment),
    ("GET", _DEPLOYMENT, DEPLOYMENTS, _get_deployment),
    ("POST", f"{_DEPLOYMENT}/validate", DEPLOYMENTS, _validate),
    ("POST", f"{_DEPLOYMENT}/whatIf", DEPLOYMENTS, _what_if),
    ("GET", f"{_GROUP}/deployments/(?P<name>[^/]+)/operations", DEPLOYMENTS,
     _deployment_operations),
    ("GET", f"{_ROOT}/providers/Microsoft.Compute/skus", "2021-07-01", _skus),
    ("GET", f"{_LOCATION}/usages", COMPUTE, _usages),
    ("GET", f"{_IMAGE}(?P<s>[^/]+)/versions", COMPUTE, _image_list),
    ("GET", f"{_ROOT}/providers/Microsoft.Network/locations/[^/]+/CheckDnsNameAvailability",
     NETWORK, _dns),
    ("GET", f"{_SET}/virtualMachines", COMPUTE, machines.instances),
    ("GET", f"{_SET}/virtualMachines/[^/]+", COMPUTE, machines.instance_get),
    ("PUT", f"{_SET}/virtualMachines/[^/]+", COMPUTE, machines.instance_put),
    ("GET", f"{_SET}/networkInterfaces", "2018-10-01", machines.set_nics),
    ("GET", f"{_SET}/publicipaddresses", "2018-10-01", machines.set_ips),
    ("POST", f"{_SET}/(?P<verb>start|powerOff|deallocate|restart|reimage|delete)", COMPUTE,
     machines.set_action),
    ("PATCH", _SET, COMPUTE, machines.patch_set),
    ("POST", f"{_VM}/{_VERB}", COMPUTE, machines.power),
    *((method, f"{place}/.+", version, call) for place, version in
      ((_COMPUTE, COMPUTE), (_NETWORK, NETWORK)) for method, call in
      (("PUT", machines.put), ("DELETE", machines.delete))),
    ("GET", f"{_COMPUTE}/disks/[^/]+", "2026-03-02", machines.get),
    ("GET", f"{_COMPUTE}/[^/]+/[^/]+", COMPUTE, machines.get),
    ("GET", f"{_NETWORK}/[^/]+/[^/]+(/securityRules/[^/]+)?", NETWORK, machines.get),
    ("GET", _ACCOUNT, STORAGE, machines.get),
    ("DELETE", _ACCOUNT, STORAGE, machines.delete),
    ("POST", f"{_ACCOUNT}/listKeys", STORAGE, machines.keys),
    ("GET", _ANY, "", machines.list_all),
]  # fmt: skip
