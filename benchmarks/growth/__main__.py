"""`python -m benchmarks.growth [--quick | --full]`."""

from benchmarks import growth
from benchmarks.command import parser, tell

if __name__ == "__main__":
    reading = parser("benchmarks.growth", growth.__doc__)
    reading.add_argument("--full", action="store_true", help="all sizes: some ten minutes, 3 GB of disk")
    options = reading.parse_args()
    tell("growth", growth.full if options.full else growth.measure, options)
