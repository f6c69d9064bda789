//! What a training run leaves behind: events, results and run directories.
