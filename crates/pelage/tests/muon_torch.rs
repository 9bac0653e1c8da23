//! Muon against `torch.optim.Muon`, as recorded by fixtures/torch/muon.py.

use burn::Tensor;
use burn::tensor::Device;
use pelage::model::ops::optimizer::{self, Muon, Rate};
use pelage::model::values::to_vec;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

fn tensor(value: &Value) -> Tensor<1> {
    let numbers: Vec<f32> = numbers(value).into_iter().map(|one| one as f32).collect();
    Tensor::from_floats(&numbers[..], &Device::flex())
}

#[test]
fn steps_are_torchs() {
    for case in include_str!("fixtures/torch/muon.jsonl").lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let rule = Muon {
            momentum: case["momentum"].as_f64().unwrap(),
            nesterov: case["nesterov"].as_bool().unwrap(),
            steps: 5,
            rescale: false,
        };
        let rate = Rate {
            learning_rate: 0.1,
            weight_decay: case["decay"].as_f64().unwrap(),
        };
        let shape = [0, 1].map(|i| numbers(&case["shape"])[i] as usize);
        let mut parameters = tensor(&case["start"]);
        let mut average = parameters.zeros_like();
        for (i, gradients) in case["gradients"].as_array().unwrap().iter().enumerate() {
            parameters = optimizer::muon(rule, rate, shape, parameters, tensor(gradients), &mut average);
            let ours = to_vec(parameters.clone());
            // An element of a step is about 0.05; torch's own has three digits.
            for (truth, most) in [(&case["exact"][i], 2e-6), (&case["steps"][i], 5e-3)] {
                for (a, b) in ours.iter().zip(numbers(truth)) {
                    assert!((f64::from(*a) - b).abs() < most, "{shape:?}, step {i}: {a} {b}");
                }
            }
        }
    }
}
