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

/// Generates a Slurm array-job script of `tasks` tasks, each of which trains the next unlocked run. `command` is the
/// queue's command line, run in `directory`. Without `threads`, the cluster's default number of CPUs applies.
///
/// Tasks coordinate through the results directory, which all machines must share. A minute before its time limit a task
/// gets SIGTERM, writes a checkpoint and is requeued. If a machine dies, another task resumes its run.
pub fn slurm_script(command: &[String], directory: &str, tasks: usize, threads: Option<usize>) -> String {
    let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
    let cpus = threads.map_or_else(String::new, |threads| format!("#SBATCH --cpus-per-task={threads}\n"));
    include_str!("slurm.sh")
        .replace("@TASKS@", &tasks.to_string())
        .replace("@CPUS@\n", &cpus)
        .replace("@DIRECTORY@", &shell_word(directory))
        .replace("@COMMAND@", &words.join(" "))
}
