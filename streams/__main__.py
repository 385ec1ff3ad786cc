"""`python -m streams` is the command `yupan`."""

from streams.cli import main

main()
