//! Sequences of kernels as CUDA graphs, which start with one call.

use std::collections::HashMap;

use cudarc::driver::{result, sys};

use crate::Result;
use crate::cuda::check;
use crate::driver::Launch;

/// Sequences remembered; more are forgotten together.
const MOST: usize = 64;

/// Graphs of sequences that have run before with the same kernels, grids and arguments. Memory is reused in the same order in
/// each training step, so that its sequences repeat from the third on.
#[derive(Default)]
pub(crate) struct Graphs(HashMap<Vec<Launch>, Option<Graph>>);

struct Graph(sys::CUgraphExec);

impl Graphs {
    /// Runs `launches`, which `start` starts one by one: at first by `start`, the second time by a graph captured from it, then
    /// by the graph.
    pub(crate) fn run(
        &mut self,
        stream: sys::CUstream,
        launches: &[Launch],
        start: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let Some(graph) = self.0.get_mut(launches) else {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(launches.to_vec(), None);
            return start();
        };
        let graph = match graph {
            Some(graph) => graph,
            None => graph.insert(Graph::capture(stream, start)?),
        };
        // SAFETY: graph and stream are valid.
        check("cuGraphLaunch", unsafe { result::graph::launch(graph.0, stream) })
    }
}

impl Graph {
    fn capture(stream: sys::CUstream, start: impl Fn() -> Result<()>) -> Result<Self> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is valid and does not capture.
        check("cuStreamBeginCapture", unsafe { result::stream::begin_capture(stream, mode) })?;
        let started = start();
        // The capture ends also after an error.
        // SAFETY: the stream captures.
        let graph = check("cuStreamEndCapture", unsafe { result::stream::end_capture(stream) });
        started?;
        let graph = graph?;
        // SAFETY: the graph is valid, and destroyed once, after its instance was made of it.
        unsafe {
            let flags = sys::CUgraphInstantiate_flags(0);
            let instance = check("cuGraphInstantiate", result::graph::instantiate(graph, flags));
            // A failure would leak the graph.
            let _ = result::graph::destroy(graph);
            instance.map(Self)
        }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the instance is destroyed once. A failure leaks it.
        let _ = unsafe { result::graph::exec_destroy(self.0) };
    }
}
