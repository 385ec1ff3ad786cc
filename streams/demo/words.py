"""What the progress view says, in Chinese and English; functions of the product have the names that its users know."""

from __future__ import annotations

_WORDS = {
    "title": ("Yupan 预判", "Yupan"),
    "subtitle": ("模拟省份", "a simulated province"),
    "day": ("模拟时刻", "simulated time"),
    "elapsed": ("已运行", "running"),
    "deadlines": ("时限已缩短", "shortened deadlines"),
    "flow": ("数据流", "Flow"),
    "state": ("状态变更", "state changes"),
    "call": ("热线话务", "call phases"),
    "contact": ("全渠道接触", "contacts"),
    "usage": ("网络使用", "network use"),
    "customer": ("客户资料", "customer facts"),
    "rest": ("名单·坐席·工单·维系", "lists, seats, tickets"),
    "anomaly": ("异常", "anomalies"),
    "reminder": ("服务提醒", "reminders"),
    "screen-pop": ("来话弹屏", "screen pops"),
    "dead-letter": ("死信", "dead letters"),
    "found": ("稽核发现", "Found by the audit"),
    "injected": ("注入差异", "drifts injected"),
    "of": ("已发现", "found"),
    "open": ("未解决", "open"),
    "resolved": ("已解决", "resolved"),
    "before": ("先于来电发现", "found before the call"),
    "pops": ("弹屏时延", "pop latency"),
    "calls": ("来电", "calls"),
    "stored": ("接触入库", "contacts stored"),
    "load": ("一日话务", "calls of a day"),
    "anomalies": ("最新异常", "Latest anomalies"),
    "desk": ("坐席桌面", "At the desk"),
    "nobody": ("未识别号码", "number not known"),
    "waiting": ("等待第一条……", "waiting for the first one …"),
    "stop": ("Ctrl-C 结束", "Ctrl-C ends it"),
    "MID_HIGH": ("中高端", "mid/high"),
    "NEW": ("新入网", "new"),
    "CAMPUS": ("校园", "campus"),
    "RURAL": ("农村联络人", "rural contact"),
    "active": ("正常", "active"),
    "suspended": ("停机", "suspended"),
    "half_suspended": ("半停机", "half suspended"),
    "closed": ("销户", "closed"),
    "barred": ("停机", "barred"),
    "barred_outgoing": ("限呼出", "barred outgoing"),
    "absent": ("无记录", "absent"),
    "never seen": ("未见", "never seen"),
    "GOTONE_VIP": ("全球通VIP", "GoTone VIP"),
    "GOTONE": ("全球通", "GoTone"),
    "EASYOWN": ("神州行", "EasyOwn"),
    "MZONE": ("动感地带", "M-Zone"),
    "WECHAT": ("微信", "WeChat"),
    "WEIBO": ("微博", "Weibo"),
    "WEB": ("网厅", "web"),
    "APP": ("手厅", "app"),
    "MALL": ("商城", "mall"),
    "HOTLINE": ("热线", "hotline"),
    "SMS": ("短信", "SMS"),
    "DONE": ("已办理", "done"),
    "progress": (
        "{elapsed}  流入 {events}  差异 {found}/{injected}  弹屏 {pops}  时延 p50 {p50} p99 {p99} 毫秒  死信 {dead}",
        "{elapsed}  in {events}  drifts {found}/{injected}  pops {pops}  latency p50 {p50} p99 {p99} ms  dead {dead}",
    ),
}


class Words:
    """The words of one language; what is not known is shown as it is."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = 1 if language == "en" else 0

    def __call__(self, name: str) -> str:
        found = _WORDS.get(name)
        return found[self._column] if found else name

    def text(self, texts: dict[str, str] | None) -> str:
        """A text for people in this language, else in any."""
        if not texts:
            return ""
        return texts.get(self.language) or next(iter(texts.values()))
