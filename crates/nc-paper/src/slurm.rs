use std::path::{Path, PathBuf};

use nc_record::write_atomically;

use crate::{Records, Result, Scale};

/// Writes `script` as `slurm.sh` beside the records of `scale` below `results`. Gives its path.
///
/// # Errors
///
/// [`Error::BadRecord`](crate::Error::BadRecord) if there is no directory for it and none can be made, and those of
/// writing.
pub fn write_slurm_script(results: &Path, scale: Scale, script: &str) -> Result<PathBuf> {
    let path = Records::make_directory(results, scale)?.join("slurm.sh");
    write_atomically(&path, script.as_bytes())?;
    Ok(path)
}

/// A Slurm array-job script of `tasks` tasks, each of which takes the next run that nobody works on. `command` is the
/// queue's command, as words; `directory` is where it is given; without `threads` the cluster's default number of CPUs is
/// asked for.
///
/// Tasks find each other's work through the results directory, which all machines must share. A task that is cut off at
/// its time limit gets SIGTERM a minute before, writes a checkpoint and is queued again; if a machine dies, another task
/// goes on with its run.
pub fn slurm_script(command: &[String], directory: &str, tasks: usize, threads: Option<usize>) -> String {
    let words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
    let cpus = threads.map_or_else(String::new, |threads| format!("#SBATCH --cpus-per-task={threads}\n"));
    format!(
        "#!/bin/bash
#SBATCH --job-name=nclt-tables
#SBATCH --array=1-{tasks}
{cpus}#SBATCH --mem=4G
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
#SBATCH --output=nclt-tables-%A_%a.log
#SBATCH --open-mode=append
# Each task takes the next run that nobody works on. Submit it again to go on with what is missing.
set -u
cd {directory} || exit 1
{command} --max-runs 1 &
worker=$!
trap 'kill -TERM \"$worker\"' TERM
wait \"$worker\"
code=$?
# A trapped signal ends the first wait; the second one is for the checkpoint.
if [ \"$code\" -gt 128 ]; then
    wait \"$worker\"
    code=$?
fi
# 130: interrupted with a checkpoint.
if [ \"$code\" -eq 130 ] && [ -n \"${{SLURM_JOB_ID:-}}\" ]; then
    scontrol requeue \"${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}\"
fi
exit \"$code\"
",
        directory = shell_word(directory),
        command = words.join(" "),
    )
}

/// As a POSIX shell takes it for one word.
///
/// ```
/// assert_eq!(nc_paper::shell_word("it's mine"), r"'it'\''s mine'");
/// assert_eq!(nc_paper::shell_word("results/quick"), "results/quick");
/// ```
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
