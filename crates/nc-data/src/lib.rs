//! Long-tailed image data: sources, imbalance profiles, repeatable subsets, samplers, augmentation and a batch loader.
