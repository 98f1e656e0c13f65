"""GPUs and NPUs: what is said of a machine's devices, in whatever key, must be true together."""

from __future__ import annotations

import pytest

from tests.support.configs import assert_problem, look, minimal

HEAD = "machines:\n  m1: {role: infra}\n"


def worker(text: str) -> str:
    return f"{HEAD}  w1: {{role: worker, {text}}}\n"


@pytest.mark.parametrize(
    ("text", "message", "cure"),
    [
        ("type: npu, vendor: nvidia", "nvidia makes GPUs, and the type is npu",
         "Write `type: gpu`, or `vendor: huawei`."),
        ("type: gpu, vendor: huawei", "huawei makes NPUs, and the type is gpu",
         "Write `type: npu`, or `vendor: nvidia`."),
        ("type: npu, vendor: NVIDIA", "NVIDIA makes GPUs, and the type is npu",
         "Write `type: gpu`, or `vendor: huawei`."),
    ],
)  # fmt: skip
def test_a_vendor_that_makes_other_devices(text: str, message: str, cure: str) -> None:
    marked = text.rsplit(" ", 1)[1]
    problem = assert_problem(worker(text), f"machines.w1.vendor: {message}", 3, marked=marked)
    assert problem.cure == cure
    assert problem.column == worker(text).splitlines()[2].index(marked) + 1


def test_of_a_machine_under_scale_up_too() -> None:
    text = f"{HEAD}scale_up:\n  w1:\n    role: worker\n    type: npu\n    vendor: nvidia\n"
    problem = assert_problem(text, "scale_up.w1.vendor: nvidia makes GPUs", 7, marked="nvidia")
    assert problem.column == 13


@pytest.mark.parametrize(
    ("text", "message", "cure", "marked"),
    [
        ("type: cpu, vendor: nvidia", "vendor: nvidia makes GPUs, and the type is cpu",
         "Write `type: gpu`, or remove vendor.", "nvidia"),
        ("type: cpu, vendor: huawei", "vendor: huawei makes NPUs, and the type is cpu",
         "Write `type: npu`, or remove vendor.", "huawei"),
        ("type: storage, vendor: nvidia", "vendor: nvidia makes GPUs, and the type is storage",
         "Write `type: gpu`, or remove vendor.", "nvidia"),
        ("vendor: nvidia", "vendor: nvidia makes GPUs, but without a type none is used",
         "Add `type: gpu`.", "nvidia"),
        ("type: gpu, vendor: nvida", "vendor: nothing knows how to use devices of nvida",
         "Did you mean nvidia?", "nvida"),
        ("type: gpu", "type: gpu without a vendor", "Add `vendor: nvidia`.", "gpu"),
        ("type: npu", "type: npu without a vendor", "Add `vendor: huawei`.", "npu"),
        ("type: cpu, gpu-type: A100", "gpu-type: is A100, and the type is cpu",
         "Write `type: gpu` or `type: npu`, or remove gpu-type.", "A100"),
        ("type: storage, gpu_type: A100", "gpu_type: is A100, and the type is storage",
         "Write `type: gpu` or `type: npu`, or remove gpu-type.", "A100"),
    ],
)  # fmt: skip
def test_what_a_machine_says_of_devices_it_has_none_of(
    text: str, message: str, cure: str, marked: str
) -> None:
    problem = assert_problem(worker(text), f"machines.w1.{message}", 3, "warning", marked)
    assert problem.cure == cure


SIZES = "sku_mapping: {big: {gpu: 8}, small: {gpu: 0}, unsaid: {cpu: 4}}\n"


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("type: cpu, node-group: big", "is cpu, but its size big has 8 GPUs", "cpu"),
        ("type: cpu, sku: big", "is cpu, but its size big has 8 GPUs", "cpu"),
        ("type: gpu, vendor: nvidia, sku: small", "is gpu, but its size small has no GPU", "gpu"),
    ],
)
def test_a_size_with_other_devices_than_the_type(text: str, message: str, marked: str) -> None:
    problem = assert_problem(SIZES + worker(text), message, 4, "warning", marked)
    assert problem.path == "machines.w1.type" and "correct the size" in problem.cure


CPU, GPU = "type: cpu", "type: gpu, vendor: nvidia"
NPU = "type: npu, vendor: huawei"


@pytest.mark.parametrize(
    ("given", "text", "message", "cure"),
    [
        ("gpu_count_per_node: 8", CPU, "is 8, but no worker has the type gpu or npu", "write 0"),
        ("gpu_count_per_node: 8", "rack: r1", "is 8, but no worker has the type", "`type: gpu`"),
        ("gpu_count_per_node: 0", GPU, "is 0, but w1 has the type gpu", "leave it out"),
        ("gpu_type: nvidia", NPU, "is nvidia, but the devices of the workers are of huawei",
         "Write huawei, or leave it out."),
    ],
)  # fmt: skip
def test_what_is_said_of_all_workers(given: str, text: str, message: str, cure: str) -> None:
    marked = given.rsplit(" ", 1)[1]
    for line in (f"onpremise_cluster: {{{given}}}\n", f"{given}\n"):
        problem = assert_problem(line + worker(text), message, 1, "warning", marked)
        assert cure in problem.cure
        assert problem.column == line.index(f" {marked}") + 2


@pytest.mark.parametrize(
    "text",
    [
        worker(GPU),
        worker(NPU),
        worker("type: gpu, vendor: amd"),
        worker("type: cpu, vendor: dell"),
        worker("type: cpu, gpu-type: None"),
        f"{HEAD}  s1: {{role: nfs, type: storage, vendor: huawei}}\n",
        SIZES + worker(f"{GPU}, sku: big"),
        SIZES + worker("sku: big"),
        SIZES + worker("type: cpu, sku: unsaid"),
        SIZES + worker("type: cpu, sku: other"),
        "gpu_count_per_node: 8\ngpu_type: nvidia\n" + worker(GPU),
        "gpu_count_per_node: 0\ngpu_type: None\n" + worker(CPU),
        "gpu_count_per_node: 8\n" + HEAD,
    ],
)
def test_what_is_no_contradiction(text: str) -> None:
    assert look(minimal(text)).problems == []


def test_a_type_that_is_wrong_is_one_problem() -> None:
    assert_problem(worker("type: gpux, vendor: nvidia"), '"gpux" is not one of its values', 3)
