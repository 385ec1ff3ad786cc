"""`python -m benchmarks.restore`."""

from benchmarks import command, restore

if __name__ == "__main__":
    command.run("restore", restore.__doc__, restore.measure)
