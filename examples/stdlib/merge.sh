#!/bin/sh
#CBATCH --job-name merge
#CBATCH --cpus-per-task 1
#CBATCH --mem 512M
#CBATCH --time 5
#CBATCH --output logs/merge.out
# Runs after every element has ended well: one report and one picture of all counts.
set -eu
exec "$PYTHON" -I -S "$EXAMPLE/merge.py" counts modules.txt report.md plot.png
