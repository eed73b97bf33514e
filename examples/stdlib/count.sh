#!/bin/sh
#CBATCH --job-name stdlib
#CBATCH --cpus-per-task 1
#CBATCH --mem 256M
#CBATCH --time 5
#CBATCH --output logs/%A_%a.out
# One element: takes its line of modules.txt, counts that file, and checks what was written: two steps.
set -eu
file=$(sed -n "$((CRANE_ARRAY_TASK_ID + 1))p" modules.txt)
crun "$PYTHON" -I -S "$EXAMPLE/count.py" "$file" "counts/$CRANE_ARRAY_TASK_ID.json"
crun grep -q '"lines"' "counts/$CRANE_ARRAY_TASK_ID.json"
