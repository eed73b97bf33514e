#!/bin/bash
#BSUB -J wave
#BSUB -n 2
#BSUB -o wave.%J.%I
set -- $LSB_MCPU_HOSTS
mpirun -np $LSB_DJOB_NUMPROC -hosts $1:$2 ./wave
echo "$LSB_HOSTS" | wc -w
cat "$LSB_DJOB_HOSTFILE" 2>/dev/null || true
