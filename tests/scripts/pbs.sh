#!/bin/bash
#PBS -N old
#PBS -l nodes=1:ppn=4,walltime=01:00:00
#PBS -q main
cd ${PBS_O_WORKDIR:-.}
echo done
