#!/bin/bash
#SBATCH --job-name=md_prod
#SBATCH --nodes=1 --ntasks-per-node=2
#SBATCH --cpus-per-task=2     # OpenMP threads
#SBATCH --mem=1G
#SBATCH --time=0-01:00
#SBATCH --output=%x-%j.out
#SBATCH --mail-type=END,FAIL
#SBATCH --mail-user=ada@example.org

set -euo pipefail
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
cd "$SLURM_SUBMIT_DIR"
echo "threads $((SLURM_NTASKS * SLURM_CPUS_PER_TASK)) mem $SLURM_MEM_PER_NODE dir $PWD"
gmx mdrun -deffnm prod -ntmpi "$SLURM_NTASKS" -ntomp "$OMP_NUM_THREADS"
