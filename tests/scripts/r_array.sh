#!/bin/bash
#SBATCH --array=1-5:2%2
#SBATCH -o %x_%A_%a.out
#SBATCH --mem-per-cpu=300M
#SBATCH -J "fit model"
Rscript --vanilla fit.R "$SLURM_ARRAY_TASK_ID" "$SLURM_ARRAY_TASK_COUNT" "$SLURM_ARRAY_TASK_MAX" $SLURM_MEM_PER_CPU
