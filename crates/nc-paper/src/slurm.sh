#!/bin/bash
#SBATCH --job-name=nclt
#SBATCH --array=1-@TASKS@
@CPUS@
#SBATCH --mem=@MEMORY@G
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
#SBATCH --output=nclt-%A_%a.log
#SBATCH --open-mode=append
# Each task trains the next unlocked run. Submit the script again to continue with the missing runs.
set -u
cd @DIRECTORY@ || exit 1
@COMMAND@ --max-runs 1 &
worker=$!
trap 'kill -TERM "$worker"' TERM
wait "$worker"
code=$?
# A trapped signal ends the first wait; the second waits for the checkpoint.
if [ "$code" -gt 128 ]; then
    wait "$worker"
    code=$?
fi
# 130: interrupted with a checkpoint.
if [ "$code" -eq 130 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
