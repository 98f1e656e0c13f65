"""Why jobs wait and how they ended, in Chinese: the sentences of jobplatform.model.reasons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ZH: Final[Mapping[str, str]] = {
    "needs-approval":
        "您已使用 {vc} 中每个用户可用的 {quota} "
        "个设备中的 {used} 个, 再用 {wanted} 个需要管理员审批。",
    "vc-quota": "{vc} 已使用配额 {quota} 个 {device} 中的 {used} 个, 此作业需要 {wanted} 个。",
    "over-quota":
        "此作业需要 {wanted} 个 {device}, "
        "而 {vc} 的配额总共只有 {quota} 个: 按此配额永远无法启动。",
    "no-such-device": "集群中没有任何节点带有 {device} 设备, 此作业在这里永远无法启动。",
    "never-fits":
        "{workers} 个各需 {each} 的工作进程永远放不下: "
        "最大的节点有 {largest}, 所有节点共可容纳 {room} 个。",
    "too-many-pods":
        "{workers} 个工作进程永远放不下: 节点的 pod 数量有限, 最多同时运行其中 {room} 个。",
    "cluster-full": "需要 {wanted} 个 {device}, 空闲 {free} 个。",
    "fragmented":
        "空闲 {free} 个 {device}, 但各节点只能容纳 "
        "{workers} 个工作进程 (每个 {each}) 中的 {room} 个。",
    "pods-full":
        "需要 {wanted} 个 {device}, 空闲 {free} 个, 但有 {full} 个节点的 pod 数量已达上限。",
    "nodes-out": "需要 {wanted} 个 {device}, 空闲 {free} 个; 另有 {out} 个节点停止服务 ({names})。",
    "behind": "排在作业 {job} 之后, 它在 {vc} 中优先。",
    "preempting": "正在为它腾出资源: {count} 个作业正在结束。",
    "gang-timeout": "{workers} 个 pod 中只有 {running} 个在 {seconds} 秒内运行, 将重试。",
    "node-lost": "第 {attempt} 次运行时节点 {node} 丢失, 将重试。",
    "rejected": "节点 {node} 没有接受 {pod} ({words}), 一分钟后重试。",
    "evicted": "节点 {node} 驱逐了 {pod} ({words}), 一分钟后重试。",
    "silent": "节点 {node} 没有说明 {pod} 是否仍在运行; 节点恢复或被管理员移出集群后将重试。",
    "preempted": "被不可抢占的作业取代, 将重试。",
    "image-pull": "无法拉取镜像 {image}: {words}",
    "share": "用户目录和作业目录所在的共享存储现在无法使用: {words}",
    "starting": "{workers} 个 pod 中 {running} 个在运行。",
    "finished": "命令以 0 结束。",
    "exit": "{pod} 的命令以 {exit} 结束。",
    "signal": "{pod} 的命令被信号 {signal} 终止。",
    "memory": "{pod} 使用的内存超过了申请量, 被终止。",
    "over-limit": "{pod} 的用量超过了上限, 被终止: {words}",
    "image": "无法拉取镜像 {image}: {words}",
    "config": "{pod} 无法启动: {words}",
    "time-limit": "达到 {seconds} 秒的时间上限。",
    "nodes-lost": "节点 {node} 丢失, {attempts} 次运行机会已用完。",
    "nodes-evicted": "节点 {node} 驱逐了 {pod} ({words}), {attempts} 次运行机会已用完。",
    "nodes-rejected": "节点 {node} 没有接受 {pod} ({words}), {attempts} 次运行机会已用完。",
    "refused": "Kubernetes 拒绝了它的 pod: {words}",
    "killed": "{actor} 停止了它。",
    "paused": "{actor} 暂停了它。",
}  # fmt: skip


def sentence(reason: Mapping[str, Any], language: str) -> tuple[str, str]:
    """A reason's sentence and its language: English, where there is no other."""
    text = ZH.get(reason["code"]) if language == "zh" else None
    try:
        return (text.format_map(reason["values"]), "zh") if text else (reason["sentence"], "en")
    except KeyError:
        return reason["sentence"], "en"
