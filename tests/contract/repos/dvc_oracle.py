"""Program: `dvc exp show --json` of many projects in one process; one JSON answer a line, in the order asked."""

import os
import sys


def main(roots: list[str]) -> int:
    """Show every project; non-zero if DVC could not show one of them at all."""
    import dvc.cli

    codes = []
    for root in roots:
        os.chdir(root)
        codes.append(dvc.cli.main(["exp", "show", "--json", "--all-commits", "--force"]))
        sys.stdout.write("\n" if codes[-1] else "")
        sys.stdout.flush()
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
