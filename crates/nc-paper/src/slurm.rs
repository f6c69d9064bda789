use std::path::{Path, PathBuf};

use nc_record::{shell_word, write_atomically};

use crate::{Records, Result, Scale};

/// Writes `script` as `slurm.sh` to the records directory of `scale` below `results`. Returns its path.
///
/// # Errors
///
/// [`Error::BadRecord`](crate::Error::BadRecord) if the directory cannot be created, and I/O errors.
pub fn write_slurm_script(results: &Path, scale: Scale, script: &str) -> Result<PathBuf> {
    let path = Records::make_directory(results, scale)?.join("slurm.sh");
    write_atomically(&path, script.as_bytes())?;
    Ok(path)
}

/// The tasks of a Slurm array job.
#[derive(Clone, Copy, Debug)]
pub struct SlurmTasks {
    /// Number of tasks.
    pub tasks: usize,
    /// CPUs of a task; `None` for the cluster's default.
    pub threads: Option<usize>,
    /// Memory of a task in GB.
    pub gigabytes: usize,
    /// Whether a task needs a GPU.
    pub gpu: bool,
}

/// Generates a Slurm array-job script of `tasks`, each of which trains the next unlocked run. `command` is the
/// queue's command line, run in `directory`.
///
/// Tasks coordinate through the results directory, which all machines must share. A minute before its time limit a task
/// gets SIGTERM, writes a checkpoint and is requeued. If a machine dies, another task resumes its run.
pub fn slurm_script(command: &[String], directory: &str, tasks: SlurmTasks) -> String {
    let SlurmTasks { tasks, threads, gigabytes, gpu } = tasks;
    let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
    let cpus = threads.map_or_else(String::new, |threads| format!("#SBATCH --cpus-per-task={threads}\n"));
    let gpus = if gpu { "#SBATCH --gres=gpu:1\n" } else { "" };
    include_str!("slurm.sh")
        .replace("@TASKS@", &tasks.to_string())
        .replace("@MEMORY@", &gigabytes.to_string())
        .replace("@CPUS@\n", &(cpus + gpus))
        .replace("@DIRECTORY@", &shell_word(directory))
        .replace("@COMMAND@", &words.join(" "))
}
