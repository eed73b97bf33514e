#!/bin/bash
#SBATCH -J caf√© -o bom.out
echo "$SLURM_JOB_NAME È"
