#!/bin/bash
#SBATCH -n 1 -o continued.out
python3 -c '
print("one")
#CBATCH --array=1-9
'
echo two \
#CBATCH --nodes=9
echo "
#BSUB -n 99
" | wc -l
