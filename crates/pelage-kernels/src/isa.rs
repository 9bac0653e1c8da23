//! Which vector instructions to use, detected once at run time.

use std::fmt;
use std::sync::OnceLock;

use crate::vector::{self, Vector};

/// An instruction set that this CPU has: a value can only be made after a check, so holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(pub(crate) Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    /// Left out where a module has vectors: it would only make that larger.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    Portable,
}

impl Isa {
    /// The best one of this CPU, or the one named by the environment variable `PELAGE_ISA`, see
    /// [`Isa::from_environment`].
    ///
    /// # Panics
    /// If the variable names one that this CPU lacks; programs should check that first, to report it as an error.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Isa::from_environment().unwrap_or_else(|error| panic!("{error}")))
    }

    /// The one that `PELAGE_ISA` names (`avx512`, `avx2`, `neon`, `simd128`, `portable`), or the best if it is unset or
    /// empty.
    ///
    /// # Errors
    /// [`Unavailable`] if the name is unknown or this CPU lacks the instruction set.
    pub fn from_environment() -> Result<Isa, Unavailable> {
        let wanted = std::env::var_os("PELAGE_ISA").unwrap_or_default();
        Isa::named(&wanted.to_string_lossy())
    }

    fn named(wanted: &str) -> Result<Isa, Unavailable> {
        let available = Isa::available();
        match wanted {
            "" => Ok(available[0]),
            _ => match available.iter().find(|isa| isa.name() == wanted) {
                Some(isa) => Ok(*isa),
                None => Err(Unavailable {
                    wanted: wanted.to_string(),
                }),
            },
        }
    }

    /// All that this CPU has, best first; the portable one comes last.
    pub fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                found.push(Isa(Kind::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Isa(Kind::Avx2));
            }
        }
        // NEON is part of every 64-bit Arm CPU.
        #[cfg(target_arch = "aarch64")]
        found.push(Isa(Kind::Neon));
        // WebAssembly asks nothing at run time: a module with an instruction that the engine lacks does not load.
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        found.push(Isa(Kind::Simd128));
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        found.push(Isa(Kind::Portable));
        found
    }

    /// Its name, as `PELAGE_ISA` takes it.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128 => "simd128",
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            Kind::Portable => "portable",
        }
    }

    /// `f32` values per vector.
    pub fn lanes(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => vector::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => vector::Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => vector::Neon::LANES,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Kind::Simd128 => vector::Simd128::LANES,
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            Kind::Portable => vector::Portable::LANES,
        }
    }
}

/// `PELAGE_ISA` names an instruction set that is unknown or that this CPU lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    wanted: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Isa::available().iter().map(|isa| isa.name()).collect();
        write!(
            f,
            "PELAGE_ISA is \"{}\", but this CPU has {}; choose one of these or unset it",
            self.wanted,
            names.join(", ")
        )
    }
}

impl std::error::Error for Unavailable {}

/// Compiles `$body`, an `#[inline(always)]` generic function, once for each instruction set, and defines
/// `$name(isa, arguments)`, which dispatches among them. A new [`Kind`] needs an arm here, and sizes wherever there
/// are sizes, or nothing compiles.
///
/// - `for_each_isa!(fused name, body, (arguments))` calls `body::<FUSED>(arguments)`; `FUSED` says whether
///   [`multiply_add`] rounds once.
/// - `for_each_isa!(vectors name, body, [sizes], (arguments))` calls `body::<V, SIZES..>(simd, arguments)`, where `V`
///   is a [`Vector`] and `simd` the [`Simd<V>`](crate::vector::Simd) that proves that this CPU has it. The sizes (of a
///   register tile, for example) are given per instruction set; without sizes, the brackets are omitted.
macro_rules! for_each_isa {
    (fused $name:ident, $body:ident, $arguments:tt) => {
        $crate::isa::for_each_isa!(@ $name, $body, [true] [true] [true] [false] [false], (), $arguments);
    };
    (
        vectors $name:ident, $body:ident,
        $([
            avx512: $($avx512:literal),*; avx2: $($avx2:literal),*;
            neon: $($neon:literal),*; simd128: $($simd128:tt),*; portable: $($portable:literal),*
        ],)?
        ($($arguments:tt)*)
    ) => {
        $crate::isa::for_each_isa!(
            @ $name, $body,
            [$crate::vector::Avx512, $($($avx512),*)?] [$crate::vector::Avx2, $($($avx2),*)?]
            [$crate::vector::Neon, $($($neon),*)?] [$crate::vector::Simd128, $($($simd128),*)?]
            [$crate::vector::Portable, $($($portable),*)?],
            // SAFETY: this function is only called if the CPU has the instruction set of its vector.
            (unsafe { $crate::vector::Simd::new() },),
            ($($arguments)*)
        );
    };
    (
        @ $name:ident, $body:ident,
        [$($avx512:tt)*] [$($avx2:tt)*] [$($neon:tt)*] [$($simd128:tt)*] [$($portable:tt)*],
        ($($simd:tt)*), ($($arg:ident: $type:ty),* $(,)?)
    ) => {
        pub(crate) fn $name(isa: $crate::isa::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
            fn avx512($($arg: $type),*) {
                $body::<$($avx512)*>($($simd)* $($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                $body::<$($avx2)*>($($simd)* $($arg),*)
            }
            match isa.0 {
                // SAFETY: an `Isa` of this kind is only made after detecting these features.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "aarch64")]
                $crate::isa::Kind::Neon => $body::<$($neon)*>($($simd)* $($arg),*),
                #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                $crate::isa::Kind::Simd128 => $body::<$($simd128)*>($($simd)* $($arg),*),
                #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
                $crate::isa::Kind::Portable => $body::<$($portable)*>($($simd)* $($arg),*),
            }
        }
    };
}
pub(crate) use for_each_isa;

/// `a * b + c`, fused if the instruction set has it (otherwise `mul_add` would be a slow library call).
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_others_reported() {
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Ok(isa));
        }
        assert_eq!(Isa::named(""), Ok(Isa::available()[0]));
        let error = Isa::named("sse9").unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
