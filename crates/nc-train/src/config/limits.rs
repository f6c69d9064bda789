/// The most epochs a phase can have: however they are scaled, their numbers stay far from overflow.
pub(crate) const MOST_EPOCHS: usize = 1_000_000;
