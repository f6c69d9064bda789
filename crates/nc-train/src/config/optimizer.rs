use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value as Json;

use super::{adamw::AdamWConfig, sgd::SgdConfig};

/// The optimiser. In TOML, a table without `kind` is SGD, and SGD is written without it, so that configurations of
/// earlier versions keep their hash.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema)]
#[schemars(tag = "kind", rename_all = "lowercase", transform = optional_sgd_kind)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum and coupled weight decay, like PyTorch's `SGD`; the default if `kind`
    /// is absent.
    Sgd(SgdConfig),
    /// AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)), like PyTorch's `AdamW`.
    AdamW(AdamWConfig),
}

impl OptimizerConfig {
    /// Base learning rate.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd(config) => config.learning_rate,
            Self::AdamW(config) => config.learning_rate,
        }
    }

    /// The base learning rate, to change it.
    pub fn learning_rate_mut(&mut self) -> &mut f64 {
        match self {
            Self::Sgd(config) => &mut config.learning_rate,
            Self::AdamW(config) => &mut config.learning_rate,
        }
    }

    /// Weight decay: coupled for SGD, decoupled for AdamW.
    pub fn weight_decay(&self) -> f64 {
        match self {
            Self::Sgd(config) => config.weight_decay,
            Self::AdamW(config) => config.weight_decay,
        }
    }

    /// The weight decay, to change it.
    pub fn weight_decay_mut(&mut self) -> &mut f64 {
        match self {
            Self::Sgd(config) => &mut config.weight_decay,
            Self::AdamW(config) => &mut config.weight_decay,
        }
    }
}

/// Marks the `kind` of SGD as optional.
fn optional_sgd_kind(schema: &mut Schema) {
    let variants = schema.get_mut("oneOf").and_then(Json::as_array_mut);
    for variant in variants.into_iter().flatten() {
        if variant["properties"]["kind"]["const"] == SGD
            && let Some(required) = variant["required"].as_array_mut()
        {
            required.retain(|key| key != "kind");
        }
    }
}

const SGD: &str = "sgd";
const ADAMW: &str = "adamw";

impl Serialize for OptimizerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Tagged<'a> {
            kind: &'static str,
            #[serde(flatten)]
            config: &'a AdamWConfig,
        }
        match self {
            Self::Sgd(config) => config.serialize(serializer),
            Self::AdamW(config) => Tagged { kind: ADAMW, config }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for OptimizerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let config = match table.remove("kind") {
            None => table.try_into().map(Self::Sgd),
            Some(kind) if kind.as_str() == Some(SGD) => table.try_into().map(Self::Sgd),
            Some(kind) if kind.as_str() == Some(ADAMW) => table.try_into().map(Self::AdamW),
            Some(kind) => {
                return Err(D::Error::custom(format!(
                    "expected optimizer kind {SGD:?} or {ADAMW:?}, found {kind}"
                )));
            }
        };
        config.map_err(|error| D::Error::custom(error.message()))
    }
}
