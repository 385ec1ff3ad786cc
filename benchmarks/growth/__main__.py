"""`python -m benchmarks.growth [--quick | --full]`."""

import json

from benchmarks import growth
from benchmarks.command import measured, parser, say
from benchmarks.common.place import opened

if __name__ == "__main__":
    reading = parser("benchmarks.growth", growth.__doc__)
    reading.add_argument("--full", action="store_true", help="all sizes: some ten minutes, 3 GB of disk")
    options = reading.parse_args()
    measure = growth.full if options.full else growth.measure
    with opened() as place:
        found = measured("growth", lambda: measure(options.quick, place, say), quick=options.quick, keep=options.keep)
    print(json.dumps(found))
