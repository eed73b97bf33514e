#!/bin/bash
#SBATCH --job-name=ddp
#SBATCH --nodes=2
#SBATCH --tasks-per-node=1
#SBATCH --cpus-per-task=2
#SBATCH --gpus=0
#SBATCH --open-mode=append
#SBATCH -e %x.err -o %x.out
export MASTER_PORT=$((10000 + SLURM_JOB_ID % 10000)) WORLD_SIZE=$((SLURM_NNODES * SLURM_NTASKS_PER_NODE))
torchrun --nnodes "$SLURM_NNODES" --nproc_per_node "$SLURM_NTASKS_PER_NODE" --rdzv_id "$SLURM_JOB_ID" train.py
echo "world $WORLD_SIZE rank $SLURM_NODEID.$SLURM_PROCID.$SLURM_LOCALID $SLURM_OPEN_MODE"
