//! How many processes whoever started this one has started, by what they leave in the environment.

use crate::failure::Failure;
use crate::text::{mute, tell};

/// Variables with the number of processes and the rank of this one, and who sets them.
const LAUNCHERS: [(&str, &str, &str); 2] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun"),
    ("PMI_SIZE", "PMI_RANK", "mpiexec"),
];

/// What Slurm sets in a step of `srun`, and what it sets in the whole job.
const STEP: &str = "SLURM_STEP_NUM_TASKS";
const JOB: &str = "SLURM_NTASKS";

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// The processes that a launcher of MPI has started, more than one, the rank of this one, and the launcher.
fn several() -> Option<(usize, usize, &'static str)> {
    let mut found = LAUNCHERS.iter().filter_map(|(world, rank, by)| {
        let world = number(world).filter(|world| *world > 1)?;
        Some((world, number(rank)?, *by))
    });
    found.next()
}

/// Whether a launcher of MPI has started this process.
#[cfg(feature = "mpi")]
pub fn by_mpi() -> bool {
    let names = LAUNCHERS.iter().map(|(world, _, _)| *world);
    let mut names = names.chain(["PMIX_RANK", "PMI_RANK", "MPI_LOCALRANKID"]);
    names.any(|name| std::env::var_os(name).is_some())
}

/// Refuses more than one process for a verb that does not share its work out. The first one says it.
///
/// # Errors
///
/// If there are several.
pub fn refuse_many() -> Result<(), Failure> {
    refuse_if_several(
        "`train`, `resume`, `evaluate` and `predict` alone share their work out; start this one without it, as one process",
    )
}

/// Refuses processes that this build cannot bring together: each would train the same.
///
/// # Errors
///
/// If there are several.
#[cfg(not(feature = "mpi"))]
pub fn refuse_without_mpi() -> Result<(), Failure> {
    refuse_if_several(
        "this build of fireclay has no MPI: each of them would train the same run; build it with `--features mpi`, or \
         start one process",
    )
}

fn refuse_if_several(why: &str) -> Result<(), Failure> {
    let Some((world, rank, by)) = several() else {
        return Ok(());
    };
    if rank > 0 {
        mute();
    }
    Err(Failure::Usage(format!(
        "{by} has started {world} processes, but {why}"
    )))
}

/// Refuses a world of one process where a launcher has started several: the library that the program was built
/// with is not that of the launcher.
///
/// # Errors
///
/// If there are several.
#[cfg(feature = "mpi")]
pub fn refuse_a_world_of(found: usize) -> Result<(), Failure> {
    match found {
        1 => refuse_if_several(
            "they do not find each other: MPI says that each is alone. The mpirun must be that of the library that \
             fireclay was built with; under Slurm, use `srun --mpi=pmix`",
        ),
        _ => Ok(()),
    }
}

/// Refuses a training in parts that is alone in a step of Slurm that has several tasks: each of them would train the
/// same. Where the job has several and this is no step of it, that is said.
///
/// # Errors
///
/// If the step has several.
pub fn refuse_alone_under_slurm() -> Result<(), Failure> {
    let several = |name| number(name).filter(|tasks| *tasks > 1);
    if let Some(tasks) = several(STEP) {
        return Err(Failure::Usage(format!(
            "Slurm has {tasks} tasks for this step ({STEP}), but this process is alone: start fireclay, built with \
             `--features mpi`, by `srun --mpi=pmix` or by mpirun. For one process, set {STEP}=1"
        )));
    }
    if let Some(tasks) = several(JOB) {
        tell!(
            "note: Slurm has {tasks} tasks for this job ({JOB}), and this is one process: `srun --mpi=pmix fireclay` or mpirun \
             starts them all"
        );
    }
    Ok(())
}

/// Says that each task of a step trains for itself.
pub fn note_alone_under_slurm() {
    if let Some(tasks) = number(STEP).filter(|tasks| *tasks > 1) {
        tell!(
            "note: srun has started {tasks} processes, and each trains a run of its own: the config has no [cluster]"
        );
    }
}
