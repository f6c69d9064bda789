//! Training of long-tailed classifiers in phases, with neural-collapse regularisation.
