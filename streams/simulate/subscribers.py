"""The people of a simulated province: their numbers, brands, segments and where they live."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

DAY = 86_400_000
BRANDS = ("GOTONE_VIP", "GOTONE", "EASYOWN", "MZONE")
_BRAND_WEIGHTS = (4, 18, 52, 26)
CHANNELS = ("WECHAT", "APP", "QQ", "WEB", "HOTLINE")
_TARIFFS = (
    (19.0, "basic-19"),
    (39.0, "value-39"),
    (59.0, "4g-59"),
    (99.0, "4g-99"),
    (159.0, "5g-159"),
    (199.0, "5g-199"),
)
REGIONS = ("guangzhou", "shenzhen", "foshan", "dongguan", "zhuhai", "shantou", "zhanjiang", "shaoguan", "meizhou")
_REGION_WEIGHTS = (24, 22, 12, 13, 5, 8, 7, 4, 5)
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗"
_GIVEN = ("建国", "秀英", "志强", "丽华", "伟", "芳", "国庆", "桂兰", "海燕", "永福", "春梅", "家明", "小玲", "德全")
_VILLAGES = ("龙岗村", "石桥村", "大塘村", "新丰村", "白水寨", "马坝镇", "清溪村", "云峰村", "上坪村", "三合村")
_PREFIXES = ("130", "131", "132", "145", "155", "156", "166", "175", "176", "185", "186", "196")


@dataclass(slots=True)
class Subscriber:
    """One number and what the stories must remember of it."""

    msisdn: str
    brand: str
    region: str
    cell: str
    opened_at: int
    q4_arpu: float
    fee: float
    tariff: str
    birthday: str
    channel: str
    lists: tuple[str, ...] = ()
    name: str | None = None
    station: str | None = None
    status: str = "active"
    """What the CRM holds; the other systems follow."""
    network: str = "4g"
    busy_until: int = 0
    """Until then (ms) a change of status is on its way, or a drift stands open."""
    products: set[str] = field(default_factory=set)
    failed: bool = False
    """The last call attempt failed in the network: the next one succeeds, so that no streak comes about."""

    @property
    def handle(self) -> str:
        """The account name on internet channels."""
        return f"wo_{int(self.msisdn[2:]) * 7919 % 100_000_000:08d}"


class Population:
    """The subscribers of a province, with all four segments in fixed shares; new ones join when a number is opened."""

    def __init__(self, rng: Random, size: int, start: int) -> None:
        self._rng = rng
        self._numbers: set[str] = set()
        self.people = [self._settled(i, start) for i in range(size)]

    def pick(self) -> Subscriber:
        """Someone; the first in the list are heard of more often than the last."""
        return self.people[int(len(self.people) * self._rng.random() ** 1.6)]

    def pick_idle(self, at: int) -> Subscriber | None:
        """Someone of whom no change is on its way at `at` (ms), and whose number is in use; None when none is met."""
        for _ in range(12):
            person = self.people[self._rng.randrange(len(self.people))]
            if person.busy_until <= at and person.status != "closed":
                return person
        return None

    def join(self, at: int) -> Subscriber:
        """A new number, opened at `at` (ms)."""
        person = self._someone(at)
        person.status = "absent"
        self.people.append(person)
        return person

    def _settled(self, index: int, start: int) -> Subscriber:
        rng, kind = self._rng, index % 25
        opened = start - rng.randrange(45 * DAY, 3000 * DAY)
        if kind in (3, 5):
            opened = start - rng.randrange(DAY // 24, 29 * DAY)
        person = self._someone(opened)
        if kind in (0, 1):
            person.q4_arpu = round(rng.uniform(360, 1800), 2)
            person.brand = rng.choice(BRANDS[:2])
        elif kind == 2:
            person.lists = ("mid_high",)
        elif kind in (4, 5):
            person.lists, person.brand = ("campus",), "MZONE"
        elif kind == 6:
            person.lists = ("rural",)
            person.name = rng.choice(_SURNAMES) + rng.choice(_GIVEN)
            person.station = rng.choice(_VILLAGES) + "服务站"
            person.region = rng.choice(REGIONS[-3:])
        return person

    def _someone(self, opened: int) -> Subscriber:
        rng = self._rng
        region = rng.choices(REGIONS, _REGION_WEIGHTS)[0]
        fee, tariff = rng.choice(_TARIFFS)
        return Subscriber(
            msisdn=self._number(),
            brand=rng.choices(BRANDS, _BRAND_WEIGHTS)[0],
            region=region,
            cell=f"{region[:2].upper()}-{rng.randrange(1, 31):03d}",
            opened_at=opened,
            q4_arpu=round(rng.uniform(45, 355), 2),
            fee=fee,
            tariff=tariff,
            birthday=f"{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
            channel=rng.choice(CHANNELS),
        )

    def _number(self) -> str:
        while True:
            number = f"86{self._rng.choice(_PREFIXES)}{self._rng.randrange(10**8):08d}"
            if number not in self._numbers:
                self._numbers.add(number)
                return number
