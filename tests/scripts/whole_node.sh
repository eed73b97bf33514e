#!/bin/bash
#SBATCH --account=first.last@institute.example.edu --qos=long-run
#SBATCH --mem=0 --dependency= -o ~/whole.out
echo "$SLURM_MEM_PER_NODE $SLURM_JOB_ACCOUNT $SLURM_JOB_QOS $SLURM_JOB_USER:$SLURM_JOB_UID $CRANE_CPUS_PER_TASK"
