#!/bin/bash
#SBATCH -o late.out
#sbatch -p nowhere
module purge 2>/dev/null
#SBATCH --time=99-00 --mem=999G
#CBATCH -J late
echo "$SLURM_JOB_NAME"
