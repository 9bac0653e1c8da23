//! A network in bf16: weights of convolutions and dense layers, and the maps between them; sums are f32. The last dense
//! layer, and operations that no kernel of bf16 computes, run on f32, as do convolutions where Winograd's filtering is
//! faster. Batches go through in pieces, as in f32.

mod held;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pelage_kernels::bf16::{self as kernel, Instructions};
use pelage_kernels::convolution::{self, Geometry, Path};
use pelage_kernels::isa::Isa;
use rayon::prelude::*;

use super::map::Map;
use super::{Answer, Interpreter, geometry, pixel, windows};
use crate::networks::graph::{Graph, Operation};
use crate::options::Activation;
use crate::values::Named;
use held::{Batch, Held, concatenated, is_tight};

/// A network in bf16, ready to run.
#[derive(Clone, Debug)]
pub struct Bf16 {
    isa: Isa,
    /// The graph, and what runs on f32.
    rest: Interpreter,
    layers: BTreeMap<usize, Layer>,
    /// The last node of each part of the backbone, and how many images go through it together.
    stages: Vec<(usize, usize)>,
}

/// The parameters of a layer whose maps are in bf16.
#[derive(Clone, Debug)]
enum Layer {
    Narrow(kernel::Packed),
    /// Computed in f32.
    Winograd(convolution::Packed),
}

impl Bf16 {
    /// The network of `graph` with `values`, as they were trained, for images of `size` `[h, w]`.
    ///
    /// # Errors
    /// A message that names the first missing, surplus or misshapen tensor.
    pub fn new(
        instructions: Instructions,
        mut graph: Graph,
        mut values: Named,
        size: [usize; 2],
    ) -> Result<Self, String> {
        graph.take_folded(&values);
        graph.check(&values)?;
        graph.fold(&mut values, |_| true);
        let (isa, sizes) = (Isa::best(), graph.sizes(size));
        let (mut layers, mut blocks) = (BTreeMap::new(), BTreeSet::new());
        for (i, node) in graph.nodes().iter().enumerate() {
            let Some(&input) = node.inputs.first() else { continue };
            let channels = graph.nodes()[input].channels;
            let geometry = match &node.operation {
                Operation::Convolution(convolution) => geometry(convolution, sizes[input], channels),
                // The last one answers.
                Operation::Dense { .. } if i + 1 < graph.nodes().len() => pixel(channels, node.channels),
                _ => continue,
            };
            if !kernel::computes(&geometry) {
                continue;
            }
            let in_f32 = is_faster_in_f32(isa, &geometry);
            if in_f32 && graph.is_block(i) {
                // With its pooling, which spares a map.
                blocks.insert(i);
                continue;
            }
            let mut take = |part: &str| values.remove(&format!("{}.{part}", node.name)).map(|found| found.data);
            let (weight, bias) = (take("weight").unwrap_or_default(), take("bias"));
            let layer = match in_f32 {
                true => Layer::Winograd(convolution::pack(isa, &geometry, &weight, bias.as_deref())),
                false => Layer::Narrow(kernel::pack(instructions, &geometry, &weight, bias.as_deref())),
            };
            layers.insert(i, layer);
        }
        let mut chains = graph.chains();
        chains.retain(|_, chain| chain.iter().all(|i| matches!(layers.get(i), Some(Layer::Narrow(_)))));
        let stages = graph.stages(size, graph.features(), 2);
        Ok(Bf16 {
            isa,
            stages: stages.into_iter().map(|stage| (stage.to, stage.images)).collect(),
            rest: Interpreter::fused(graph, values, size, &blocks, chains)?,
            layers,
        })
    }

    /// The answers for normalized pixels `[h, w, 3]` of each image. With `flip`, channel means of the last feature map
    /// are averaged over the image and its mirror image.
    ///
    /// # Panics
    /// If an image has more or fewer pixels than those of the network.
    pub fn run(&self, images: &[&[f32]], flip: bool) -> Vec<Answer> {
        if images.is_empty() {
            return Vec::new();
        }
        let (graph, last) = (&self.rest.graph, self.rest.graph.nodes().len() - 1);
        let read = graph.nodes()[last].inputs.first().copied().unwrap_or(last);
        let map = match flip {
            false => self.features(images, false),
            true => {
                let [mut one, other] = [true, false].map(|mirrored| self.means_of(&self.features(images, mirrored)));
                one.iter_mut().zip(other).for_each(|(a, b)| *a = (*a + b) * 0.5);
                Held::Wide(Batch::flat(images.len(), one))
            }
        };
        let embedding = self.between(map, graph.features(), read, false);
        let embedding = self.wide(&embedding).into_owned();
        let logits = self.between(Held::Wide(embedding.clone()), read, last, false);
        let logits = self.wide(&logits).into_owned();
        let rows = logits.images().zip(embedding.images());
        rows.map(|(logits, embedding)| Answer {
            logits: logits.to_vec(),
            embedding: embedding.to_vec(),
        })
        .collect()
    }

    /// The channel means of the last feature map of each image, for normalized pixels `[h, w, 3]`.
    ///
    /// # Panics
    /// As [`Bf16::run`].
    pub fn means(&self, images: &[&[f32]]) -> Vec<Vec<f32>> {
        if images.is_empty() {
            return Vec::new();
        }
        let means = self.means_of(&self.features(images, false));
        let rows = means.chunks(means.len() / images.len());
        rows.map(<[f32]>::to_vec).collect()
    }

    fn pixels(&self, images: &[&[f32]]) -> Batch<f32> {
        let size = self.rest.size;
        for image in images {
            assert_eq!(image.len(), size[0] * size[1] * 3, "values of the image");
        }
        Batch {
            count: images.len(),
            size,
            channels: 3,
            values: images.concat(),
        }
    }

    /// The last feature maps of images, or of their mirror images: as many pieces at once as there are threads; all
    /// threads for the batch where there are fewer.
    fn features(&self, images: &[&[f32]], mirrored: bool) -> Held {
        let (count, mut map, mut from) = (images.len(), None, 0);
        let pixels = |images: &[&[f32]]| match mirrored {
            true => Held::Wide(self.pixels(images).mirrored()),
            false => Held::Wide(self.pixels(images)),
        };
        for &(to, fit) in &self.stages {
            let pieces = count.div_ceil(fit);
            let each = match pieces >= rayon::current_num_threads().max(2) {
                true => count.div_ceil(pieces),
                false => count,
            };
            let run = |piece: Held| self.between(piece, from, to, each < count);
            map = Some(Held::joined(match map {
                None => images.par_chunks(each).map(|images| run(pixels(images))).collect(),
                Some(map) => Held::split(map, each).into_par_iter().map(run).collect(),
            }));
            from = to;
        }
        map.unwrap_or_else(|| pixels(images))
    }

    fn means_of(&self, held: &Held) -> Vec<f32> {
        match held {
            Held::Narrow(x) => kernel::averages(self.isa, x.size[0] * x.size[1], x.channels, &x.values),
            Held::Wide(x) => x.maps().iter().flat_map(|map| map.means().values).collect(),
        }
    }

    /// Runs the nodes after `from`, whose output is `start`, up to `to`.
    fn between(&self, start: Held, from: usize, to: usize, alone: bool) -> Held {
        let compute = |i: usize, inputs: &[&Held]| match self.rest.chains.get(&i) {
            Some(chain) => Some(self.chain(chain, inputs)),
            None => self.node(i, inputs, alone),
        };
        self.rest
            .walk(start, (from, to), compute, |i, held| self.changed(i, held))
    }

    /// Applies the convolutions of `chain` in order.
    fn chain(&self, chain: &[usize], inputs: &[&Held]) -> Held {
        let x = self.narrow(inputs[0]);
        let residual = inputs.get(1).map(|residual| self.narrow(residual));
        let (mut size, mut channels) = (x.size, x.channels);
        let mut links = Vec::new();
        for &i in chain {
            let (Operation::Convolution(convolution), Some(Layer::Narrow(packed))) =
                (&self.rest.graph.nodes()[i].operation, self.layers.get(&i))
            else {
                unreachable!("chains are of such convolutions")
            };
            links.push(kernel::Link {
                geometry: of_batch(x.count, geometry(convolution, size, channels)),
                packed,
                activation: convolution.activation.of_kernel(),
            });
            (size, channels) = (convolution.output_size(size), convolution.channels);
        }
        let residual = residual.as_ref().map(|residual| &residual.values[..]);
        Held::Narrow(Batch {
            count: x.count,
            size,
            channels,
            values: kernel::forward_chain(&links, &x.values, residual),
        })
    }

    /// Applies node `i` alone to its inputs; none if its output is that of [`Bf16::changed`].
    fn node(&self, i: usize, inputs: &[&Held], alone: bool) -> Option<Held> {
        let (node, x) = (&self.rest.graph.nodes()[i], inputs[0]);
        Some(match (&node.operation, self.layers.get(&i), x) {
            (Operation::Convolution(convolution), Some(layer), x) => {
                let geometry = of_batch(x.count(), geometry(convolution, x.size(), x.channels()));
                let (added, activation) = (inputs.get(1).copied(), convolution.activation);
                Held::Narrow(self.layer(layer, &geometry, x, added, activation, alone))
            }
            (Operation::Dense { activation }, Some(layer), x) => {
                let geometry = of_batch(x.count(), pixel(x.channels(), node.channels));
                Held::Narrow(self.layer(layer, &geometry, x, None, *activation, alone))
            }
            (Operation::MaxPool(pool), _, Held::Narrow(x)) => {
                let mut geometry = windows(pool, x.size, x.channels);
                geometry.batch = x.count;
                Held::Narrow(Batch {
                    count: x.count,
                    size: [geometry.output_height(), geometry.output_width()],
                    channels: x.channels,
                    values: kernel::max_pool(self.isa, &geometry, &x.values),
                })
            }
            (Operation::AveragePool { side: 1 }, _, x) => Held::Wide(Batch::flat(x.count(), self.means_of(x))),
            (Operation::Concatenate, _, Held::Narrow(_)) => {
                let all: Vec<Cow<Batch<u16>>> = inputs.iter().map(|held| self.narrow(held)).collect();
                Held::Narrow(concatenated(&all))
            }
            (Operation::Add, _, x) => {
                Held::Wide(self.wide(x).into_owned().combined(&self.wide(inputs[1]), |a, b| a + b))
            }
            (Operation::Multiply, _, x) => {
                Held::Wide(self.wide(x).into_owned().combined(&self.wide(inputs[1]), |a, b| a * b))
            }
            _ if self.is_passed_on(i, x) => return None,
            _ => {
                let wide: Vec<Vec<Map>> = inputs.iter().map(|held| self.wide(held).maps()).collect();
                let images = (0..x.count()).into_par_iter().map(|image| {
                    let maps: Vec<&Map> = wide.iter().map(|maps| &maps[image]).collect();
                    let alone = self.rest.node(i, &maps);
                    alone.unwrap_or_else(|| self.rest.changed(i, maps[0].clone()))
                });
                Held::Wide(Batch::of(images.collect()))
            }
        })
    }

    /// Whether node `i` leaves the values of its input as they are.
    fn is_passed_on(&self, i: usize, x: &Held) -> bool {
        match &self.rest.graph.nodes()[i].operation {
            Operation::Dropout(_) => true,
            Operation::Norm(norm) => norm.activation == Activation::None,
            Operation::Flatten => matches!(x, Held::Narrow(x) if is_tight(x.channels, x.size)),
            _ => false,
        }
    }

    fn changed(&self, i: usize, mut held: Held) -> Held {
        if let (Operation::Flatten, Held::Narrow(x)) = (&self.rest.graph.nodes()[i].operation, &mut held) {
            (x.channels, x.size) = (x.size[0] * x.size[1] * x.channels, [1, 1]);
        }
        held
    }

    /// A convolution or dense layer.
    fn layer(
        &self,
        layer: &Layer,
        geometry: &Geometry,
        x: &Held,
        added: Option<&Held>,
        activation: Activation,
        alone: bool,
    ) -> Batch<u16> {
        let activation = activation.of_kernel();
        let values = match layer {
            Layer::Narrow(packed) => {
                let (x, added) = (self.narrow(x), added.map(|added| self.narrow(added)));
                let added = added.as_ref().map(|added| &added.values[..]);
                kernel::forward(geometry, &x.values, packed, added, activation, alone)
            }
            Layer::Winograd(packed) => {
                let (x, added) = (self.wide(x), added.map(|added| self.wide(added)));
                let added = added.as_ref().map(|added| &added.values[..]);
                let values = convolution::forward_new(self.isa, geometry, &x.values, packed, added, activation);
                kernel::narrow(self.isa, geometry.out_channels, &values)
            }
        };
        Batch {
            count: geometry.batch,
            size: [geometry.output_height(), geometry.output_width()],
            channels: geometry.out_channels,
            values,
        }
    }

    fn narrow<'a>(&self, held: &'a Held) -> Cow<'a, Batch<u16>> {
        match held {
            Held::Narrow(x) => Cow::Borrowed(x),
            Held::Wide(x) => Cow::Owned(x.with(kernel::narrow(self.isa, x.channels, &x.values))),
        }
    }

    fn wide<'a>(&self, held: &'a Held) -> Cow<'a, Batch<f32>> {
        match held {
            Held::Wide(x) => Cow::Borrowed(x),
            Held::Narrow(x) => Cow::Owned(x.with(kernel::widen(self.isa, x.channels, &x.values))),
        }
    }
}

/// Whether Winograd's filtering in f32 beats direct convolution in bf16. Measured on Zen 4: 4 x 4 pixels cost there as
/// much as ten do directly, and reading the weights, which are many, as much as thirty.
fn is_faster_in_f32(isa: Isa, geometry: &Geometry) -> bool {
    let [height, width] = [geometry.output_height(), geometry.output_width()];
    let parts = height.div_ceil(4) * width.div_ceil(4);
    convolution::path(isa, geometry) == Path::Winograd && 10 * parts + 32 < height * width
}

/// The same convolution of many images.
fn of_batch(batch: usize, geometry: Geometry) -> Geometry {
    Geometry { batch, ..geometry }
}
