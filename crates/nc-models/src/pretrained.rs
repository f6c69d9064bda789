//! Trained weights as the initialisation of another network.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Tensor};

use crate::{Error, Group, Param, ParamStore, Result, Role};

/// Outcome of [`ParamStore::load_pretrained`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pretrained {
    /// Why the head keeps its random initialisation; `None` if the file's head was loaded.
    pub fresh_head: Option<String>,
    /// Other parameters that keep their initialisation because the file lacks them: those with an optional prefix.
    pub absent: Vec<String>,
    /// Tensors of the file that the model has no use for, such as a projection head.
    pub unused: Vec<String>,
    /// First convolution of a network for colour images, summed over its input channels.
    pub summed: Option<String>,
}

impl ParamStore {
    /// Initialises the variables from `tensors` by name, as in a PyTorch `state_dict`, for training on.
    ///
    /// - Every backbone parameter must be there with its shape, running statistics included. Exceptions are names that
    ///   start with a component in `optional`, which keep their initialisation if the file has none of them.
    /// - The head is loaded if all its parameters are there with their shapes; otherwise it keeps its initialisation. So
    ///   does a fixed head, and any head given a reason in `other_head`, such as other classes.
    /// - A first convolution on three channels fits a network for grey images: summed over the input channels, it has
    ///   the same outputs as on the image repeated in each channel.
    /// - `fc` and `linear`, and `downsample` and `shortcut`, stand for each other: the names of torchvision's ResNets and
    ///   of those for small images.
    ///   `num_batches_tracked` is skipped. Other tensors outside the backbone are skipped and reported.
    ///
    /// # Errors
    ///
    /// [`Error::Weights`] with missing, differently shaped and superfluous backbone tensors, a few of each; nothing is
    /// changed then.
    pub fn load_pretrained(
        &self,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        optional: &[&str],
        other_head: Option<String>,
    ) -> Result<Pretrained> {
        let params = self.all();
        let known: BTreeSet<&str> = params.iter().map(|param| param.name.as_str()).collect();
        let mut file = BTreeMap::new();
        for (name, tensor) in tensors {
            if !name.ends_with("num_batches_tracked") {
                file.insert(our_name(name, &known), tensor);
            }
        }
        let (head, backbone): (Vec<&Param>, Vec<&Param>) =
            params.iter().partition(|param| param.group != Group::Backbone);
        let mut loaded = Pretrained::default();
        let mut values: Vec<(&Param, Tensor)> = vec![];

        let mut misfits = Misfits::default();
        for &param in &backbone {
            match file.remove(&param.name) {
                Some(tensor) if tensor.dims() == param.var.dims() => values.push((param, tensor)),
                Some(tensor) if is_colour_stem(&tensor, param) => {
                    loaded.summed = Some(param.name.clone());
                    values.push((param, tensor.to_dtype(DType::F32)?.sum_keepdim(1)?));
                }
                Some(tensor) => misfits.shapes.push(misshapen(param, &tensor) + hint(&tensor, param)),
                None if optional.contains(&component(&param.name)) => loaded.absent.push(param.name.clone()),
                None => misfits.missing.push(format!("{:?}", param.name)),
            }
        }
        let components: BTreeSet<&str> = backbone.iter().map(|param| component(&param.name)).collect();
        let of_backbone = |name: &&String| components.contains(component(name));
        misfits.unexpected = file.keys().filter(of_backbone).map(|name| format!("{name:?}")).collect();
        misfits.check()?;

        match other_head.map_or_else(|| head_misfit(&head, &file), Some) {
            None => {
                for &param in &head {
                    values.extend(file.remove(&param.name).map(|tensor| (param, tensor)));
                }
            }
            Some(reason) => {
                loaded.fresh_head = Some(reason);
                let components: BTreeSet<&str> = head.iter().map(|param| component(&param.name)).collect();
                file.retain(|name, _| !components.contains(component(name)));
            }
        }
        loaded.unused = file.into_keys().collect();
        for (Param { var, .. }, tensor) in values {
            var.set(&tensor.to_dtype(DType::F32)?.to_device(self.device())?)?;
        }
        Ok(loaded)
    }
}

/// The model's name of a tensor, for names of torchvision.
fn our_name(name: String, known: &BTreeSet<&str>) -> String {
    if known.contains(name.as_str()) {
        return name;
    }
    let renamed =
        |from: &str, to: &str| Some(name.replace(from, to)).filter(|new| known.contains(new.as_str()));
    let head = |from: &str, to: &str| {
        let rest = name.strip_prefix(from)?;
        Some(format!("{to}{rest}")).filter(|new| known.contains(new.as_str()))
    };
    let found = head("fc.", "linear.")
        .or_else(|| head("linear.", "fc."))
        .or_else(|| renamed(".downsample.", ".shortcut."))
        .or_else(|| renamed(".shortcut.", ".downsample."));
    found.unwrap_or(name)
}

fn component(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Why the file's head cannot be loaded into `head`; `None` if it can.
fn head_misfit(head: &[&Param], file: &BTreeMap<String, Tensor>) -> Option<String> {
    if head.iter().any(|param| param.role == Role::Fixed) {
        return Some("it is fixed".to_owned());
    }
    let misfit = head.iter().find_map(|param| match file.get(&param.name) {
        None => Some(format!("the file has no {:?}", param.name)),
        Some(tensor) if tensor.dims() != param.var.dims() => Some(misshapen(param, tensor)),
        Some(_) => None,
    });
    misfit.or_else(|| {
        let components: BTreeSet<&str> = head.iter().map(|param| component(&param.name)).collect();
        let is_extra = |name: &&String| {
            components.contains(component(name)) && !head.iter().any(|param| param.name == **name)
        };
        file.keys().find(is_extra).map(|name| format!("the file's head is of another kind, with {name:?}"))
    })
}

fn misshapen(param: &Param, found: &Tensor) -> String {
    format!("{:?} of shape {:?}, expected {:?}", param.name, found.dims(), param.var.dims())
}

/// The probable reason for the shape of a first convolution.
fn hint(found: &Tensor, param: &Param) -> &'static str {
    match (found.dims(), param.var.dims()) {
        (&[.., 7, 7], &[.., 3, 3]) => {
            " (the 7x7 stem of torchvision's networks for large images, such as imagenet-resnet18)"
        }
        (&[_, 1, ..], &[_, 3, ..]) => " (weights for grey images, but these are in colour)",
        _ => "",
    }
}

/// True for a convolution (C_out, 3, k, k) where `param` has one input channel.
fn is_colour_stem(tensor: &Tensor, param: &Param) -> bool {
    match (tensor.dims(), param.var.dims()) {
        (&[out, 3, height, width], &[o, 1, h, w]) => [out, height, width] == [o, h, w],
        _ => false,
    }
}

/// Backbone tensors that do not fit.
#[derive(Default)]
struct Misfits {
    shapes: Vec<String>,
    missing: Vec<String>,
    unexpected: Vec<String>,
}

impl Misfits {
    fn check(&self) -> Result<()> {
        let parts: Vec<String> =
            [("found", &self.shapes), ("missing", &self.missing), ("unexpected", &self.unexpected)]
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(what, names)| format!("{what} {}", a_few(names)))
                .collect();
        if parts.is_empty() { Ok(()) } else { Err(Error::Weights(parts.join("; "))) }
    }
}

/// The first of `names`, and the number of the others.
fn a_few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
