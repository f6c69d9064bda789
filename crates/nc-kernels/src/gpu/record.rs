use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Tensor, Var};
use nc_cuda::{Activations, Buffer, Device, Layer, MaxPool, Norm, Shortcut, Weight};

use super::node::Node;

/// Operations that wait to be run, in order.
pub(super) struct Record {
    pub(super) device: Device,
    waiting: Mutex<Vec<Op>>,
    /// Whether a run failed: later ones would lack its results.
    failed: AtomicBool,
    /// Token of the last tracked run, an ancestor of those that follow: Candle then walks later runs first.
    token: Mutex<Option<Tensor>>,
}

pub(super) enum Op {
    Enter(Enter),
    Layer(Box<ConvLayer>),
    MaxPool { pool: MaxPool, x: Arc<Node>, out: Arc<Node> },
}

/// Conversion of images.
pub(super) struct Enter {
    /// (N, C, H, W), contiguous f32 on the CPU.
    pub(super) images: Tensor,
    pub(super) out: Arc<Node>,
}

/// relu?(norm?(conv(x)) + shortcut?).
pub(super) struct ConvLayer {
    pub(super) layer: Layer,
    pub(super) x: Arc<Node>,
    pub(super) weight: Tensor,
    pub(super) norm: Option<BatchNorm>,
    pub(super) shortcut: Option<(Arc<Node>, Shortcut)>,
    pub(super) relu: bool,
    pub(super) out: Arc<Node>,
    /// Set by the run.
    pub(super) done: Option<Done>,
}

/// Results of a layer that its backward pass needs.
pub(super) struct Done {
    pub(super) weight: Weight,
    /// Output of the convolution.
    pub(super) y: Buffer,
    pub(super) norm: Option<Norm>,
}

pub(super) struct BatchNorm {
    pub(super) gamma: Tensor,
    pub(super) beta: Tensor,
    pub(super) running_mean: Var,
    pub(super) running_var: Var,
    pub(super) epsilon: f64,
    pub(super) momentum: f64,
    /// Statistics of the batch, not running ones.
    pub(super) train: bool,
}

impl ConvLayer {
    pub(super) fn parameters(&self) -> impl Iterator<Item = &Tensor> {
        let norm = self.norm.iter().flat_map(|norm| [&norm.gamma, &norm.beta]);
        std::iter::once(&self.weight).chain(norm)
    }
}

impl Op {
    pub(super) fn out(&self) -> &Arc<Node> {
        match self {
            Self::Enter(Enter { out, .. }) | Self::MaxPool { out, .. } => out,
            Self::Layer(layer) => &layer.out,
        }
    }

    pub(super) fn is_tracked(&self) -> bool {
        self.out().tracked
    }

    /// Nodes that the operation reads.
    pub(super) fn inputs(&self) -> Vec<&Arc<Node>> {
        match self {
            Self::Enter(_) => vec![],
            Self::MaxPool { x, .. } => vec![x],
            Self::Layer(layer) => {
                std::iter::once(&layer.x).chain(layer.shortcut.iter().map(|(node, _)| node)).collect()
            }
        }
    }
}

impl Record {
    pub(super) fn new(device: &Device) -> Arc<Self> {
        Arc::new(Self {
            device: device.clone(),
            waiting: Mutex::default(),
            failed: AtomicBool::new(false),
            token: Mutex::default(),
        })
    }

    pub(super) fn push(&self, op: Op) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(op);
    }

    pub(super) fn take(&self) -> Vec<Op> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn token(&self) -> Option<Tensor> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_token(&self, token: Tensor) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }
}

/// Activations of another shape and the same precision.
pub(super) fn reshaped(of: Activations, (channels, height, width): (usize, usize, usize)) -> Activations {
    Activations { channels, height, width, ..of }
}
