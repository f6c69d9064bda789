//! Parameters that stay on an emulated GPU.

use candle_core::{DType, Tensor, Var, backprop::GradStore};
use nc_cuda::{Device, Emulator, Order};

use super::common::{Random, assert_close, values};
use super::{Layer, conv3x3, loss};
use crate::gpu::{Factors, Precision, Resident, Sgd};
use crate::{FeatureMap, Mode, Shortcut};

struct Problem {
    device: Device,
    layers: [Layer; 2],
    images: [Tensor; 2],
    upstream: Tensor,
    /// A parameter that no layer on the GPU reads.
    head: Var,
}

impl Problem {
    fn new() -> Self {
        let mut random = Random::new(61);
        Self {
            device: Emulator::new(Order::Ascending).device(),
            layers: [(3, 16), (16, 16)]
                .map(|(from, to)| Layer::random(conv3x3(from, to, 1), &mut random).to_dtype(DType::F32)),
            images: std::array::from_fn(|_| random.tensor((2, 3, 6, 5)).to_dtype(DType::F32).unwrap()),
            upstream: random.tensor((2, 16)),
            head: Var::from_tensor(&random.tensor(4).to_dtype(DType::F32).unwrap()).unwrap(),
        }
    }

    fn vars(&self) -> Vec<Var> {
        let of_layers = self.layers.iter().flat_map(Layer::parameters).map(|(_, var)| var.clone());
        of_layers.chain([self.head.clone()]).collect()
    }

    fn out(&self, images: &Tensor, tracked: bool) -> Tensor {
        let x = FeatureMap::on_device(images, &self.device, Precision::F32).unwrap();
        let [first, second] = &self.layers;
        let x = first.try_forward(&x, Shortcut::None, true, Mode::Eval, tracked).unwrap();
        let x = second.try_forward(&x, Shortcut::Identity(&x), true, Mode::Eval, tracked).unwrap();
        x.global_avg_pool().unwrap()
    }

    /// One backward pass over both batches of images.
    fn gradients(&self) -> GradStore {
        let losses = self.images.each_ref().map(|images| loss(&self.out(images, true), &self.upstream));
        (&losses[0] + &losses[1]).unwrap().backward().unwrap()
    }
}

#[test]
fn gradients_and_steps_are_those_of_variables() {
    let problem = Problem::new();
    let vars = problem.vars();
    let expected = problem.gradients();
    let before: Vec<Tensor> = vars.iter().map(|var| var.as_detached_tensor().copy().unwrap()).collect();

    let resident = Resident::on_device(&vars, &problem.device).unwrap();
    for _ in 0..2 {
        // The second pass replaces the gradients of the first.
        resident.clear_gradients();
        let on_host = problem.gradients();
        assert!(vars.iter().all(|var| on_host.get(var).is_none()));
    }
    assert_eq!(resident.reads(), [true, true, true, true, true, true, false]);
    assert_eq!(resident.have_gradients(), resident.reads());
    let moved = resident.tensors(&resident.moved(1.0).unwrap()).unwrap();
    for (index, (moved, var)) in moved.iter().zip(&vars[..6]).enumerate() {
        let gradient = (moved.as_ref().unwrap() - &before[index]).unwrap();
        assert_close(&format!("gradient {index}"), &gradient, expected.get(var).unwrap(), 1e-5);
    }
    let squares = expected_squares(&expected, &vars);
    for (found, expected) in resident.squared_norms().unwrap().into_iter().zip(squares) {
        assert!((found - expected).abs() <= 1e-5 * expected, "{found}, expected {expected}");
    }

    let momenta = resident.vector(&[]).unwrap();
    let by = Sgd { momentum: 0.9, weight_decay: 0.0, nesterov: false };
    resident.sgd(by, &[Factors::rate(0.5); 7], &momenta).unwrap();
    assert_eq!(values(vars[0].as_tensor()), values(&before[0]), "variables change in sync");
    resident.sync().unwrap();
    for (index, var) in vars[..6].iter().enumerate() {
        let stepped = (&before[index] - (expected.get(var).unwrap() * 0.5).unwrap()).unwrap();
        assert_close(&format!("parameter {index}"), var.as_tensor(), &stepped, 1e-5);
    }
    assert_eq!(values(vars[6].as_tensor()), values(&before[6]));
}

fn expected_squares(gradients: &GradStore, vars: &[Var]) -> Vec<f64> {
    let gradients = vars.iter().filter_map(|var| gradients.get(var));
    gradients.map(|gradient| values(gradient).into_iter().map(|v| v * v).sum()).collect()
}

/// As on the host, parameters that Candle does not track learn nothing.
#[test]
fn untracked_parameters_have_no_gradient() {
    let problem = Problem::new();
    let [first, second] = &problem.layers;
    let resident = Resident::on_device(&problem.vars(), &problem.device).unwrap();
    let x = FeatureMap::on_device(&problem.images[0], &problem.device, Precision::F32).unwrap();
    let x = first.try_forward(&x, Shortcut::None, true, Mode::Eval, true).unwrap();
    let x = second.try_forward(&x, Shortcut::None, true, Mode::Eval, false).unwrap();
    loss(&x.global_avg_pool().unwrap(), &problem.upstream).backward().unwrap();
    assert_eq!(resident.have_gradients(), [true, true, true, false, false, false, false]);
}

#[test]
fn layers_read_the_values_on_the_gpu() {
    let problem = Problem::new();
    let vars = problem.vars();
    let own = problem.out(&problem.images[0], false);
    let resident = Resident::on_device(&vars, &problem.device).unwrap();
    let host = vars[0].as_detached_tensor().copy().unwrap();
    vars[0].set(&vars[0].zeros_like().unwrap()).unwrap();
    for tracked in [true, false] {
        assert_eq!(values(&problem.out(&problem.images[0], tracked)), values(&own), "tracked: {tracked}");
    }
    let zeros = resident.vector(&[]).unwrap();
    let silent = resident.with(&zeros, || problem.out(&problem.images[0], true));
    assert!(values(&silent).iter().all(|&value| value == 0.0));
    assert_eq!(values(&problem.out(&problem.images[0], true)), values(&own));
    resident.sync().unwrap();
    assert_eq!(values(vars[0].as_tensor()), values(&host));

    drop(resident);
    vars[0].set(&vars[0].zeros_like().unwrap()).unwrap();
    assert_ne!(values(&problem.out(&problem.images[0], true)), values(&own), "variables count again");
}
