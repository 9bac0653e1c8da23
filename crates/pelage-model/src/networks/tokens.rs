//! A map as a row of tokens: Dosovitskiy et al. 2021, equation 1.

use burn::Tensor;
use burn::module::{Module, Param};
use burn::tensor::{Device, TensorData};

use super::positions::weights;
use crate::values::{Named, Values};

/// Positions `[1 + grid * grid, c]`, and the first token `[c]`.
#[derive(Module, Debug)]
pub(super) struct TokensLayer {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl TokensLayer {
    /// Takes `name.weight` and `name.bias` out of `values`, whose shapes have been checked.
    pub(super) fn take(name: &str, values: &mut Named, device: &Device) -> Self {
        let mut named = |suffix: &str| values.remove(&format!("{name}.{suffix}")).unwrap_or_default();
        TokensLayer {
            weight: Param::from_tensor(Tensor::from_data(data(named("weight")), device)),
            bias: Param::from_tensor(Tensor::from_data(data(named("bias")), device)),
        }
    }

    /// `[n, h, w, c]` to `[n, 1, 1 + h * w, c]`, with positions of a grid of `grid` x `grid` resampled to `h` x `w`.
    pub(super) fn forward(&self, x: Tensor<4>, grid: usize) -> Tensor<4> {
        let [n, h, w, c] = x.dims();
        let positions = self.weight.val();
        let first = (positions.clone().narrow(0, 0, 1) + self.bias.val().unsqueeze()).reshape([1, 1, 1, c]);
        let placed = positions.narrow(0, 1, grid * grid);
        let placed = if [h, w] == [grid; 2] {
            placed
        } else {
            let matrix = |to: usize| {
                let weights = TensorData::new(weights(grid, to), [to, grid]);
                Tensor::<2>::from_data(weights, &x.device())
            };
            let rows = matrix(h).matmul(placed.reshape([grid, grid * c])).reshape([h, grid, c]);
            let columns = matrix(w).unsqueeze::<3>().expand([h, w, grid]);
            columns.matmul(rows).reshape([h * w, c])
        };
        let patches = x.reshape([n, 1, h * w, c]) + placed.reshape([1, 1, h * w, c]);
        Tensor::cat(vec![first.expand([n, 1, 1, c]), patches], 2)
    }
}

fn data(values: Values) -> TensorData {
    TensorData::new(values.data, values.shape)
}
