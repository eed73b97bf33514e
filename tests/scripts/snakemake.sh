#!/bin/bash
#SBATCH -J smk
#SBATCH -n 1 -t 30
mkdir -p profile
cat > profile/config.yaml <<-"YAML"
	jobs: 10
	#CBATCH --array=0-9
	YAML
cat > jobscript.sh <<EOF1; cat > status.sh <<\EOF2
#!/bin/sh
#SBATCH --array=0-5
#CBATCH --nodes=7
EOF1
#BSUB -n 64
EOF2
snakemake --profile profile --jobs "${SLURM_NTASKS}"
grep -c BATCH jobscript.sh
