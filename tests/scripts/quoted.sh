#!/bin/bash
##SBATCH -p nowhere
# SBATCH -p nowhere
#SBATCH	-J "a b" --comment='x # y'   # note -p nowhere
#SBATCH -o quoted.out -o "quoted two.out"
#SBATCH --array 1-3 # why

   # indented comment
	
#SBATCH -a 2
echo "$SLURM_JOB_NAME:$SLURM_ARRAY_TASK_ID"
