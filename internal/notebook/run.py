#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs cells.ipy as a notebook, in the current folder; a line for each cell. Exit code 1 when one fails."""
import sys
import time
import warnings
from pathlib import Path

import matplotlib
from IPython.core.interactiveshell import InteractiveShell


def main():
    matplotlib.use("Agg")
    warnings.simplefilter("ignore")
    shell = InteractiveShell.instance()
    shell.run_line_magic("colors", "NoColor")
    cells = (Path(__file__).parent / "cells.ipy").read_text().split("\n# %% ")[1:]
    for n, cell in enumerate(cells, 1):
        title, _, source = cell.partition("\n")
        begin = time.time()
        result = shell.run_cell(source, store_history=False, silent=True)
        print(f"{'ok  ' if result.success else 'FAIL'} cell {n:2} {time.time() - begin:6.1f} s  {title}", flush=True)
        if not result.success:
            sys.exit(1)  # later cells build on earlier ones
    print(f"{len(cells)} cells passed")


main()
