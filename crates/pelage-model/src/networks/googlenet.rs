//! GoogLeNet, Inception v1: Szegedy et al. 2015, *Going Deeper with Convolutions*, table 1. As in torchvision, every
//! convolution has a batch norm, the branch that the paper calls 5x5 is 3x3, and the auxiliary classifiers are left
//! out.

use super::graph::{Convolution, Graph, Padding, Pool, Value};
use crate::options::Activation::{None, Relu};

/// Channels of one inception module, in the columns of the paper's table.
struct Inception {
    name: &'static str,
    c1: usize,
    reduce3: usize,
    c3: usize,
    reduce5: usize,
    c5: usize,
    pool: usize,
}

const fn inception(name: &'static str, c: [usize; 6]) -> Inception {
    Inception {
        name,
        c1: c[0],
        reduce3: c[1],
        c3: c[2],
        reduce5: c[3],
        c5: c[4],
        pool: c[5],
    }
}

const STAGE3: [Inception; 2] = [
    inception("inception3a", [64, 96, 128, 16, 32, 32]),
    inception("inception3b", [128, 128, 192, 32, 96, 64]),
];
const STAGE4: [Inception; 5] = [
    inception("inception4a", [192, 96, 208, 16, 48, 64]),
    inception("inception4b", [160, 112, 224, 24, 64, 64]),
    inception("inception4c", [128, 128, 256, 24, 64, 64]),
    inception("inception4d", [112, 144, 288, 32, 64, 64]),
    inception("inception4e", [256, 160, 320, 32, 128, 128]),
];
const STAGE5: [Inception; 2] = [
    inception("inception5a", [256, 160, 320, 32, 128, 128]),
    inception("inception5b", [384, 192, 384, 48, 128, 128]),
];

/// The network; layers have torchvision's names (`inception3a.branch2.0`).
pub fn graph(classes: usize) -> Graph {
    let pool = |kernel| Pool {
        ceil: true,
        ..Pool::new(kernel, 2)
    };
    let (mut g, x) = Graph::new();
    let x = g.convolution("conv1", x, convolution(7, 64).stride(2));
    let x = g.max_pool("maxpool1", x, pool(3));
    let x = g.convolution("conv2", x, convolution(1, 64));
    let x = g.convolution("conv3", x, convolution(3, 192));
    let mut x = g.max_pool("maxpool2", x, pool(3));
    for module in &STAGE3 {
        x = module.add(&mut g, x);
    }
    x = g.max_pool("maxpool3", x, pool(3));
    for module in &STAGE4 {
        x = module.add(&mut g, x);
    }
    x = g.max_pool("maxpool4", x, pool(2));
    for module in &STAGE5 {
        x = module.add(&mut g, x);
    }
    g.end_features(x);
    let x = g.average_pool("avgpool", x, 1);
    let x = g.dropout("dropout", x, 0.2);
    g.dense("fc", x, classes, None);
    g
}

impl Inception {
    /// Four parallel branches (figure 2b).
    fn add(&self, g: &mut Graph, x: Value) -> Value {
        let name = |branch: &str| format!("{}.{branch}", self.name);
        let one = g.convolution(name("branch1"), x, convolution(1, self.c1));
        let three = g.convolution(name("branch2.0"), x, convolution(1, self.reduce3));
        let three = g.convolution(name("branch2.1"), three, convolution(3, self.c3));
        let five = g.convolution(name("branch3.0"), x, convolution(1, self.reduce5));
        let five = g.convolution(name("branch3.1"), five, convolution(3, self.c5));
        let pooled = g.max_pool(
            name("branch4.0"),
            x,
            Pool {
                padding: Padding::Each(1),
                ceil: true,
                ..Pool::new(3, 1)
            },
        );
        let pooled = g.convolution(name("branch4.1"), pooled, convolution(1, self.pool));
        g.concatenate(self.name, &[one, three, five, pooled])
    }
}

fn convolution(kernel: usize, channels: usize) -> Convolution {
    Convolution::new(kernel, channels).norm(1e-3).activation(Relu)
}
