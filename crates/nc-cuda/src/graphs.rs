//! Sequences of kernels as CUDA graphs, which start with one call.

use std::collections::HashMap;
use std::ptr::null_mut;

use crate::Result;
use crate::api::{self, Api};
use crate::driver::Launch;

/// Most sequences in the cache, which is emptied when it is full.
const MOST: usize = 64;

/// Graphs of sequences that have run before with the same kernels, grids and arguments. Memory is reused in the same order in
/// each training step, so that its sequences repeat from the third on.
pub(crate) struct Graphs {
    api: &'static Api,
    known: HashMap<Vec<Launch>, Option<Graph>>,
}

struct Graph {
    api: &'static Api,
    instance: api::GraphInstance,
}

impl Graphs {
    pub(crate) fn new(api: &'static Api) -> Self {
        Self { api, known: HashMap::new() }
    }

    /// Runs `launches`, which `start` starts one by one: at first by `start`, the second time by a graph captured from it, then
    /// by the graph.
    pub(crate) fn run(
        &mut self,
        stream: api::Stream,
        launches: &[Launch],
        start: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let Some(graph) = self.known.get_mut(launches) else {
            if self.known.len() >= MOST {
                self.known.clear();
            }
            self.known.insert(launches.to_vec(), None);
            return start();
        };
        let graph = match graph {
            Some(graph) => graph,
            None => graph.insert(Graph::capture(self.api, stream, start)?),
        };
        // SAFETY: graph and stream are valid.
        self.api.check("cuGraphLaunch", unsafe { (self.api.graph_launch)(graph.instance, stream) })
    }
}

impl Graph {
    fn capture(api: &'static Api, stream: api::Stream, start: impl Fn() -> Result<()>) -> Result<Self> {
        let (mut graph, mut instance) = (null_mut(), null_mut());
        // SAFETY: the stream is valid and does not capture yet. The graph is destroyed once, after its instance was made.
        unsafe {
            let begun = (api.stream_begin_capture)(stream, api::CAPTURE_THREAD_LOCAL);
            api.check("cuStreamBeginCapture", begun)?;
            let started = start();
            // The capture ends after an error, too.
            let ended = (api.stream_end_capture)(stream, &raw mut graph);
            let made = started.and_then(|()| {
                api.check("cuStreamEndCapture", ended)?;
                api.check("cuGraphInstantiate", (api.graph_instantiate)(&raw mut instance, graph, 0))
            });
            if !graph.is_null() {
                // A failure would leak the graph.
                (api.graph_destroy)(graph);
            }
            made?;
        }
        Ok(Self { api, instance })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: the instance is destroyed once. A failure leaks it.
        unsafe { (self.api.graph_instance_destroy)(self.instance) };
    }
}
