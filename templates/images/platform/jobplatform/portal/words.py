"""The portal's languages. Its English words are the keys; what the API says stays English."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

LANGUAGES: Final = ("en", "zh")

ZH: Final[Mapping[str, str]] = {
    "Job platform": "作业平台", "Skip to the content": "跳到正文", "Pages": "页面",
    "Jobs": "作业", "Job": "作业", "Submit a job": "提交作业", "Submit": "提交",
    "Virtual cluster": "虚拟集群", "Virtual clusters": "虚拟集群", "Users": "用户管理",
    "Rights": "权限", "Your account": "我的账户", "Signed in as": "当前用户:",
    "Sign in": "登录", "Sign out": "退出", "Name": "名称", "Password": "密码",
    "This was not done:": "操作未完成:", "This did not work": "出错了",
    "Nothing is lost. Try again in a few seconds.": "没有丢失任何内容, 请几秒后重试。",
    "To the jobs": "返回作业列表", "This was done.": "操作已完成。",
    "The password was changed. Sign in with the new one.": "密码已修改, 请用新密码登录。",
    "Number (uid)": "用户编号 (uid)", "Group (gid)": "组编号 (gid)", "More groups": "其他组",
    "none yet: ask an administrator": "尚未分配, 请联系管理员",
    "Change the password": "修改密码", "Old password": "旧密码", "New password": "新密码",
    "The new password again": "再次输入新密码", "At least 12 characters.": "至少 12 个字符。",
    "All your sessions and tokens end then, this one too.":
        "修改后您的所有会话和令牌都会失效, 包括当前会话。",
    "all": "全部", "State": "状态", "only mine": "只看我的", "Show": "显示",
    "The newest come first.": "最新的排在最前。", "User": "用户", "Since": "时间", "Reason": "原因",
    "There is no such job.": "没有符合条件的作业。", "Parts of the list": "列表分页",
    "Newest jobs": "最新作业", "Older jobs": "更早的作业", "cause:": "起因:",
    "Log": "日志", "Download it": "下载",
    "Log of": "日志:",
    "Log of worker": "工作进程日志",
    "Submit one like it": "克隆此作业",
    "What it is": "作业信息", "Number": "编号", "Priority": "优先级", "Attempt": "第几次运行",
    "Queued": "排队时间", "Started": "开始时间", "Ended": "结束时间", "Kind": "类型",
    "Image": "镜像", "Command": "命令", "Workers": "工作进程数",
    "Devices of each worker": "每个工作进程的设备数", "Kind of device": "设备类型",
    "Processors of each worker": "每个工作进程的处理器数",
    "Memory of each worker (MiB)": "每个工作进程的内存 (MiB)", "Port": "端口",
    "Variables": "环境变量", "Variables (values are not shown)": "环境变量 (不显示值)",
    "Preemptible": "可被抢占", "yes": "是", "no": "否", "Time limit (seconds)": "时间上限 (秒)",
    "Retries": "重试次数", "What happened": "事件", "Back to the job": "返回作业",
    "Worker (the first is 0)": "工作进程 (从 0 开始)",
    "This page is read again every 5 seconds.": "本页每 5 秒刷新一次。",
    "Do not read it again": "停止刷新", "Read it again every 5 seconds": "每 5 秒刷新一次",
    "To the end": "跳到末尾", "To the beginning": "回到开头", "What comes after this": "后续内容",
    "There is nothing in it yet.": "暂无内容。", "Templates": "模板",
    "Such as registry:5000/team/torch:1": "例如 registry:5000/team/torch:1",
    "A line for the shell, or several.": "一行或多行 shell 命令。",
    "Such as V100; empty for none.": "例如 V100; 不用设备则留空。",
    "The command runs on": "命令运行于", "all workers": "所有工作进程",
    "the first worker": "第一个工作进程",
    "One a line, as NAME=VALUE.": "每行一个, 格式为 NAME=VALUE。",
    "More": "更多", "Up to 200; more needs an administrator.": "最大 200; 更高需要管理员。",
    "Empty for none.": "留空表示没有。", "Empty for no limit.": "留空表示不限。",
    "How often it is tried again where a node is lost.": "节点丢失时重新运行的次数。",
    "It may be stopped and tried again when others need its devices":
        "他人需要设备时, 可以停止并稍后重新运行",
    "Quota and use": "配额与使用", "In use": "已使用", "Quota": "配额", "processors": "处理器",
    "no limit": "不限", "Devices of one user without approval": "单个用户无需审批的设备数",
    "Devices of one user without approval:": "单个用户无需审批的设备数:",
    "Jobs start in the order in which they came": "作业按提交顺序启动",
    "Jobs start in the order in which they came.": "作业按提交顺序启动。",
    "Jobs start by priority and fair shares.": "作业按优先级和公平份额启动。",
    "Its jobs": "其中的作业", "Change it": "修改", "Change": "修改", "Make it": "创建",
    "There is none that you may use.": "没有您可以使用的虚拟集群。",
    "A new virtual cluster": "新建虚拟集群",
    "A kind of device a line, as V100=8; processors as cpu=64.":
        "每行一种设备, 例如 V100=8; 处理器写作 cpu=64。",
    "Add a person, or change the numbers": "添加用户或修改编号",
    "1000 or more: jobs run with it.": "不小于 1000; 作业以此编号运行。",
    "Numbers, with blanks between them.": "填写编号, 以空格分隔。",
    "At least 12 characters; empty leaves it as it is.": "至少 12 个字符; 留空则不修改。",
    "Save": "保存", "Give another password": "重设密码",
    "Who may do what, as far as you administer it": "您所管理范围内的权限",
    "Where": "范围", "all virtual clusters": "所有虚拟集群", "Take away": "收回",
    "Take away from": "收回权限:", "Give a right": "授予权限",
    "user": "用户", "collaborator": "协作者", "administrator": "管理员", "platform": "平台",
    "node": "节点", "regular": "普通", "distributed": "分布式", "inference": "推理",
    "Without a password of this platform": "使用其他账号登录", "Sign in with": "登录方式:",
    "Other ways to sign in": "其他登录方式", "Connect": "关联", "Disconnect": "取消关联:",
    "Connect your account": "关联账号",
    "Go on to the provider, and sign in there": "前往登录提供方并登录",
    "Keys and tokens": "密钥与令牌", "Your new token": "新令牌",
    "Copy it now: it is shown this once, and whoever has it can do what you can.":
        "请立即复制: 令牌只显示这一次, 持有者拥有您的全部权限。",
    "Public keys for SSH": "SSH 公钥", "Your keys": "您的密钥", "Title": "标题",
    "Fingerprint": "指纹", "Added": "添加时间", "Remove": "移除", "You have none.": "暂无。",
    "Add a key": "添加密钥", "Public key": "公钥",
    "The line of a file such as ~/.ssh/id_ed25519.pub; never the private key.":
        "例如 ~/.ssh/id_ed25519.pub 中的一行; 切勿粘贴私钥。",
    "Empty: the key's own comment.": "留空则使用密钥自带的注释。",
    "Tokens for programs": "程序令牌",
    "Your tokens; each session is one, too": "您的令牌 (每个登录会话也是一个)",
    "Ends": "到期时间", "Last used": "最近使用", "End": "作废", "Make a token": "创建令牌",
    "What it is for.": "用途。", "Days until it ends": "有效天数", "365 at most.": "最多 365 天。",
    "Sign in on another machine": "在其他机器上登录", "Machine": "机器", "Code": "验证码",
    "Counts until": "有效期至", "Approve it": "批准登录", "Refuse it": "拒绝登录", "Go on": "继续",
    "Eight letters, such as BCDF-GHJK.": "八个字母, 例如 BCDF-GHJK。",
    "A program such as dlws login shows a code. Type it here, and see who asks before you approve.":
        "dlws login 等程序会显示一个验证码。请在此输入, 批准前先核对是谁在请求。",
    "Approve it only if you began this yourself and see this very code there.":
        "仅当您刚才亲自发起登录, 且那里显示的正是此验证码时, 才可批准。",
    "The program can then do what you can, for 12 hours. It chose its machine's name itself.":
        "之后 12 小时内, 该程序拥有您的全部权限。机器名称由程序自行填写。",
    "The program is signed in as you within seconds. You may close this page.":
        "该程序将在数秒内以您的身份登录。您可以关闭此页面。",
    "The program was refused.": "已拒绝该程序。",
    "unapproved": "待审批", "queued": "排队中", "scheduling": "调度中", "running": "运行中",
    "pausing": "暂停中", "paused": "已暂停", "killing": "停止中", "killed": "已停止",
    "finished": "已完成", "failed": "失败", "error": "错误",
    "stop": "停止", "pause": "暂停", "resume": "继续", "approve": "批准",
}  # fmt: skip


def speaker(language: str) -> Callable[[str], str]:
    """What gives the words of a language; a word that it does not have stays as it is."""
    return (lambda text: ZH.get(text, text)) if language == "zh" else str


def chosen(cookie: str, accepted: str) -> str:
    """The language that a visitor chose here, or else told the browser to prefer."""
    if cookie in LANGUAGES:
        return cookie
    return max(LANGUAGES, key=lambda language: _liking(language, accepted))


def _liking(language: str, accepted: str) -> float:
    """How much it is liked, from Accept-Language: zh-CN,zh;q=0.9,en;q=0.8."""
    likings = [0.0]
    for entry in accepted.split(",")[:50]:
        name, _, quality = entry.partition(";")
        if name.strip().lower().partition("-")[0] == language:
            likings.append(_quality(quality))
    return max(likings)


def _quality(text: str) -> float:
    try:
        found = float(text.partition("=")[2] or 1)
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0
