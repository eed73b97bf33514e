#!/bin/bash
#SBATCH -N 2
#SBATCH -n 3
#SBATCH -t 10
#SBATCH -o mpi.%j
echo "nodes $SLURM_JOB_NODELIST $SLURM_NNODES $SLURM_TASKS_PER_NODE $SLURM_JOB_CPUS_PER_NODE"
mpirun -np $SLURM_NTASKS ./wave
srun --mpi=pmix ./wave 2>/dev/null || echo no srun
