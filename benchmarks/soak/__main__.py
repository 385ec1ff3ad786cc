"""`python -m benchmarks.soak`: the result goes to `results/NAME.json`, from which the report draws its chart."""

import dataclasses
import json

from benchmarks import soak
from benchmarks.command import measured, parser, say


def main() -> None:
    """Read the options, run, print the result without its samples."""
    reading = parser("benchmarks.soak", soak.__doc__)
    reading.add_argument("--minutes", type=float, help="default 30")
    reading.add_argument("--share", type=float, help="of the measured capacity; default 0.7")
    reading.add_argument("--clickhouse-away", type=float, metavar="MINUTES", help="kill ClickHouse for so long")
    reading.add_argument("--broker-away", type=float, metavar="SECONDS", help="kill the broker for so long")
    reading.add_argument("--customers", type=int)
    reading.add_argument("--backlog", type=int, metavar="EVENTS", help="by which the capacity is measured")
    reading.add_argument("--seed", type=int)
    reading.add_argument("--name", default="soak", help="of the file under results/; default soak")
    options = reading.parse_args()
    given = {
        "seconds": None if options.minutes is None else options.minutes * 60,
        "share": options.share,
        "clickhouse_away": None if options.clickhouse_away is None else options.clickhouse_away * 60,
        "broker_away": options.broker_away,
        "customers": options.customers,
        "backlog": options.backlog,
        "seed": options.seed,
    }
    plan = dataclasses.replace(
        soak.QUICK if options.quick else soak.LONG,
        **{name: value for name, value in given.items() if value is not None},
    )
    found = measured(options.name, lambda: soak.soak(plan, say), quick=options.quick, keep=True)
    print(json.dumps({name: value for name, value in found.items() if name != "samples"}))


if __name__ == "__main__":
    main()
