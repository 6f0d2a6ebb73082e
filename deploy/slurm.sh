#!/bin/bash
# A training of several processes under Slurm, which is started again after a preemption or a lost node, and then goes
# on from its newest checkpoint. The run folder and the data are on a file system that all nodes share.
#
# usage: sbatch deploy/slurm.sh CONFIG
# CONFIG has a table [cluster] whose parts the number of tasks divides.
#
#SBATCH --job-name=fireclay
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
# Puts the job back into the queue after a preemption or a lost node.
#SBATCH --requeue
# Tells the tasks two minutes before the time is over: they finish their step, save, and end with exit code 4.
#SBATCH --signal=TERM@120
# One log for all starts of the job.
#SBATCH --open-mode=append
set -uo pipefail
config="${1:?usage: sbatch deploy/slurm.sh CONFIG}"

# A task computes on the cores that Slurm gives it. Without `-K`: fireclay ends all tasks itself, and the exit code is its own.
srun --mpi=pmix --cpus-per-task="$SLURM_CPUS_PER_TASK" fireclay train "$config" --resume auto -q
code=$?

# 4: interrupted and saved. The same command goes on with it.
if [ "$code" = 4 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
