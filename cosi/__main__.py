"""``python -m cosi``: the `cosi` program."""

from cosi.cli import main

main()
