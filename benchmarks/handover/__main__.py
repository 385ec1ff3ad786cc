"""`python -m benchmarks.handover`."""

from benchmarks import command, handover

if __name__ == "__main__":
    command.run("handover", handover.__doc__, handover.measure)
