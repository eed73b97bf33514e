#!/bin/bash
#SBATCH -J nf-ALIGN_(sample_1)
#SBATCH -o .command.log
#SBATCH --no-requeue
#SBATCH --signal B:USR2@30
#SBATCH -c 2
#SBATCH -t 01:00:00
#SBATCH --mem 512M
NXF_CHDIR=$PWD
# NEXTFLOW TASK: ALIGN (sample 1)
set -e
set -u
nxf_kill() { kill -TERM "$1" 2>/dev/null || true; }
on_exit() { echo -n "${nxf_exit:-$?}" > .exitcode; }
trap on_exit EXIT
cat << 'NXF_EOF' > .command.sh
#!/bin/bash -ue
#SBATCH --array=1-100
bwa mem -t 2 ref.fa sample_1.fq
NXF_EOF
(bash .command.sh) >.command.out 2>.command.err &
wait $!
nxf_exit=$?
echo "cpus $SLURM_CPUS_PER_TASK of $SLURM_CPUS_ON_NODE"
