//! Tests of the public interface, in one binary.

mod backbones;
mod bilateral;
mod experts;
mod heads;
mod models;
mod pretrained;
mod support;
