#!/bin/bash
#SBATCH -J driver
#SBATCH -o driver.out
for size in 3; do
cat > inner.sh <<EOF
#!/bin/bash
#SBATCH -J inner
#SBATCH --array=1-$size
#SBATCH -o inner_%a.out
echo "\$SLURM_ARRAY_JOB_ID \$SLURM_ARRAY_TASK_ID \${SLURM_NTASKS:-none} \$SLURM_JOB_NAME"
EOF
cbatch --parsable --wait inner.sh
done
echo "driver ${SLURM_ARRAY_TASK_ID:-alone}"
