//! Weights in a kernel's layout, packed on first use.

use std::sync::{Arc, OnceLock};

use pelage_kernels::{conv_block, convolution};

/// Weights and bias in the layout of the convolution's kernels. If the weights change, start with a new one.
pub type Packed = Once<convolution::Packed>;

/// The same for the fused block of convolution and pooling.
pub type PackedBlock = Once<conv_block::Packed>;

/// A value that is made when it is first asked for, and shared by all clones.
#[derive(Debug)]
pub struct Once<T>(Arc<OnceLock<T>>);

impl<T> Once<T> {
    pub(super) fn get(&self) -> Option<&T> {
        self.0.get()
    }

    /// Two threads may make it at once, so that none waits for another. Making it is work that threads share: one that
    /// waits for its part to be done may begin another image meanwhile, comes here again, and would wait for itself.
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        match self.0.get() {
            Some(made) => made,
            None => {
                let made = make();
                self.0.get_or_init(|| made)
            }
        }
    }
}

impl<T> Clone for Once<T> {
    fn clone(&self) -> Self {
        Once(self.0.clone())
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Once(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn threads_that_share_the_making_do_not_wait_for_themselves() {
        let (done, waits) = mpsc::channel();
        thread::spawn(move || {
            for threads in [3, 4, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                for images in 2..10 {
                    let once = Once::default();
                    let pause = |i: usize| thread::sleep(Duration::from_micros(130 * i as u64));
                    let make = || (0..16).into_par_iter().inspect(|_| pause(1)).sum::<usize>();
                    // They do not come at once: whoever is idle yet takes a part of the making.
                    let image = |i| {
                        pause(i);
                        *once.get_or_make(make)
                    };
                    let found: Vec<usize> = pool.install(|| (0..images).into_par_iter().map(image).collect());
                    assert!(found.iter().all(|&found| found == 120));
                }
            }
            done.send(()).unwrap();
        });
        waits.recv_timeout(Duration::from_secs(120)).expect("it hangs");
    }
}
