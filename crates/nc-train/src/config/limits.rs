/// Maximum epochs of a phase, small enough that scaling cannot overflow.
pub(crate) const MOST_EPOCHS: usize = 1_000_000;
