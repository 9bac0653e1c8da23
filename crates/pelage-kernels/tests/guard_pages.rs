//! No kernel accesses values outside its slices: each slice first ends right before an inaccessible page, then starts
//! right after one.
//!
//! A single access out of bounds ends the test process with a segmentation fault; that is how these tests fail.
#![cfg(all(unix, not(miri)))]

use std::ops::{Deref, DerefMut};

use pelage_kernels::bf16::{self, Instructions};
use pelage_kernels::conv_block::{self, Shape};
use pelage_kernels::convolution::{self, Activation, Geometry, Link};
use pelage_kernels::isa::Isa;
use proptest::prelude::*;
use region::{Allocation, Protection};

mod support;
use support::noise;

/// Where the guard page is.
#[derive(Clone, Copy, Debug)]
enum Guard {
    Behind,
    Before,
}

/// Values next to a guard page.
struct Guarded<T> {
    /// Keeps the memory allocated.
    _pages: Allocation,
    start: *mut T,
    len: usize,
}

impl<T: Copy> Guarded<T> {
    fn new(values: &[T], guard: Guard) -> Self {
        let (bytes, page) = (size_of_val(values), region::page::size());
        let room = bytes.next_multiple_of(page);
        let mut pages = region::alloc(room + 2 * page, Protection::READ_WRITE).unwrap();
        let first = pages.as_mut_ptr::<u8>();
        for at in [0, page + room] {
            // SAFETY: the page belongs to this allocation, and nothing is stored in it.
            unsafe { region::protect(first.add(at), page, Protection::NONE) }.unwrap();
        }
        let at = match guard {
            Guard::Behind => page + room - bytes,
            Guard::Before => page,
        };
        // SAFETY: the `bytes` bytes at `at` are in the pages between the guards; the start of a page is aligned for any
        // value, and so is its end minus whole values.
        let start = unsafe {
            let start = first.add(at).cast::<T>();
            start.copy_from(values.as_ptr(), values.len());
            start
        };
        Guarded {
            _pages: pages,
            start,
            len: values.len(),
        }
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: this many values were written at `start`, in memory that lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

fn geometries() -> impl Strategy<Value = Geometry> {
    let channels = prop_oneof![
        3 => (1usize..=40, 1usize..=40, Just(1usize)),
        // Whole vectors of channels, for Winograd's path.
        2 => (1usize..=3, 8usize..=40, Just(1usize)).prop_map(|(ci, co, groups)| (16 * ci, co, groups)),
        1 => (1usize..=6, 1usize..=6, 2usize..=4),
        3 => (Just(1usize), Just(1usize), 2usize..=40),
    ];
    let kernel = prop_oneof![Just([3, 3]), Just([1, 1]), [1usize..=5, 1usize..=5]];
    let sizes = (1usize..=2, 1usize..=20, 1usize..=20);
    let padding = [0usize..=2, 0usize..=2, 0usize..=2, 0usize..=2];
    (channels, sizes, kernel, 1usize..=2, padding).prop_map(|(channels, sizes, kernel, stride, padding)| Geometry {
        batch: sizes.0,
        height: sizes.1,
        width: sizes.2,
        in_channels: channels.0 * channels.2,
        out_channels: channels.1 * channels.2,
        kernel,
        stride: [stride; 2],
        padding,
        groups: channels.2,
    })
}

fn activations() -> impl Strategy<Value = Activation> {
    use Activation::*;
    prop_oneof![Just(None), Just(Relu), Just(Relu6), Just(Silu)]
}

/// Runs the convolution, its gradients, and the convolution as a chain on guarded slices; compares with ordinary ones.
fn convolution(isa: Isa, g: &Geometry, guard: Guard, residual: bool, activation: Activation) {
    let [x, w, b] = [g.input_len(), g.weight_len(), g.out_channels].map(|len| noise(1, len));
    let add = residual.then(|| noise(2, g.output_len()));
    let packed = convolution::pack(isa, g, &w, Some(&b));
    let truth = convolution::forward_new(isa, g, &x, &packed, add.as_deref(), activation);

    let [x_guarded, w_guarded, b_guarded] = [&x, &w, &b].map(|values| Guarded::new(values, guard));
    let add = add.map(|add| Guarded::new(&add, guard));
    let packed = convolution::pack(isa, g, &w_guarded, Some(&b_guarded));
    let mut y = Guarded::new(&vec![f32::NAN; truth.len()], guard);
    convolution::forward(isa, g, &x_guarded, &packed, add.as_deref(), activation, &mut y);
    assert_eq!(y[..], truth);
    if convolution::path(isa, g) != convolution::Path::Winograd {
        let link = Link {
            geometry: *g,
            packed: &packed,
            activation,
        };
        y.fill(f32::NAN);
        convolution::forward_chain(isa, &[link], &x_guarded, add.as_deref(), &mut y);
        assert_eq!(y[..], truth);
    }

    let dy = noise(3, g.output_len());
    let mut truth = [w.len(), b.len(), x.len()].map(|len| vec![f32::NAN; len]);
    let [dw, db, dx] = truth.each_mut().map(|grad| Some(&mut grad[..]));
    convolution::backward(isa, g, &x, &w, &dy, dw, db, dx);
    let dy = Guarded::new(&dy, guard);
    let mut grads = truth
        .each_ref()
        .map(|grad| Guarded::new(&vec![f32::NAN; grad.len()], guard));
    let [dw, db, dx] = grads.each_mut().map(|grad| Some(&mut grad[..]));
    convolution::backward(isa, g, &x_guarded, &w_guarded, &dy, dw, db, dx);
    for (guarded, truth) in grads.iter().zip(&truth) {
        assert_eq!(guarded[..], truth[..]);
    }
}

/// The same in bf16, where a kernel computes it.
fn narrow(g: &Geometry, guard: Guard, residual: bool, activation: Activation) {
    let own = Instructions::of(Isa::best()).unwrap_or(Instructions::portable());
    if !bf16::computes(g) {
        return;
    }
    let map = |seed, channels, len| bf16::narrow(Isa::best(), channels, &noise(seed, len));
    let packed = bf16::pack(own, g, &noise(1, g.weight_len()), Some(&noise(2, g.out_channels)));
    let x = map(3, g.in_channels, g.input_len());
    let add = residual.then(|| map(4, g.out_channels, g.output_len()));
    let truth = bf16::forward(g, &x, &packed, add.as_deref(), activation, true);
    let (x, add) = (Guarded::new(&x, guard), add.map(|add| Guarded::new(&add, guard)));
    assert_eq!(bf16::forward(g, &x, &packed, add.as_deref(), activation, true), truth);
}

/// The same for the fused block and its gradients.
fn block(isa: Isa, s: Shape, guard: Guard) {
    let [x, w, b, dy] = [s.input_len(), s.weight_len(), s.out_channels, s.output_len()].map(|len| noise(1, len));
    let packed = conv_block::pack(isa, s, &w, &b);
    let (truth, winners) = conv_block::forward_new(isa, s, conv_block::Activation::Relu, &x, &packed);
    let (dw, db, dx) = conv_block::backward_new(isa, s, &x, &w, &winners, &dy, true);

    let [x, w, b, dy] = [&x, &w, &b, &dy].map(|values| Guarded::new(values, guard));
    let packed = conv_block::pack(isa, s, &w, &b);
    let mut y = Guarded::new(&vec![f32::NAN; truth.len()], guard);
    let mut won = Guarded::new(&vec![9u8; winners.len()], guard);
    conv_block::forward(isa, s, conv_block::Activation::Relu, &x, &packed, &mut y, &mut won);
    assert_eq!((&y[..], &won[..]), (&truth[..], &winners[..]));
    let truth = [dw, db, dx.unwrap()];
    let mut grads = truth
        .each_ref()
        .map(|grad| Guarded::new(&vec![f32::NAN; grad.len()], guard));
    let [dw, db, dx] = &mut grads;
    conv_block::backward(isa, s, &x, &w, &won, &dy, dw, db, Some(dx));
    for (guarded, truth) in grads.iter().zip(&truth) {
        assert_eq!(guarded[..], truth[..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn convolutions_stay_within_their_slices(
        g in geometries(), residual in any::<bool>(), activation in activations(),
    ) {
        for isa in Isa::available() {
            for guard in [Guard::Behind, Guard::Before] {
                convolution(isa, &g, guard, residual, activation);
            }
        }
        for guard in [Guard::Behind, Guard::Before] {
            narrow(&g, guard, residual, activation);
        }
    }

    #[test]
    fn blocks_stay_within_their_slices(
        batch in 1usize..4, height in 2usize..24, width in 2usize..24, in_channels in 1usize..40,
        out_channels in 1usize..40,
    ) {
        for isa in Isa::available() {
            for guard in [Guard::Behind, Guard::Before] {
                block(isa, Shape { batch, height, width, in_channels, out_channels }, guard);
            }
        }
    }
}

/// Of as many tiles as the gradient of the weights by Winograd's filtering takes, in blocks that are not full.
#[test]
fn gradients_of_many_tiles_stay_within_their_slices() {
    for (size, channels, padding) in [([33, 30], [32, 16], [1; 4]), ([31, 37], [64, 48], [0, 2, 1, 0])] {
        let g = Geometry {
            batch: 2,
            height: size[0],
            width: size[1],
            in_channels: channels[0],
            out_channels: channels[1],
            kernel: [3, 3],
            stride: [1, 1],
            padding,
            groups: 1,
        };
        for isa in Isa::available() {
            for guard in [Guard::Behind, Guard::Before] {
                convolution(isa, &g, guard, false, Activation::None);
            }
        }
    }
}
