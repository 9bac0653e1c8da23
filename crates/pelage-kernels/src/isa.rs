//! Which vector instructions to use, found out once at run time.

use std::sync::OnceLock;

/// An instruction set that this CPU has: a value can only be made after checking, so holding one is the proof.
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
    Portable,
}

impl Isa {
    /// The best one here, or the one that the environment variable `PELAGE_ISA` names (`avx512`, `avx2`, `neon`,
    /// `portable`) where this CPU has it.
    pub fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            let wanted = std::env::var("PELAGE_ISA").unwrap_or_default();
            let available = Isa::available();
            let forced = available.iter().find(|isa| isa.name() == wanted);
            *forced.unwrap_or(&available[0])
        })
    }

    /// All that this CPU has, best first; the portable one is always last.
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
            Kind::Portable => "portable",
        }
    }
}

/// Compiles `$body`, an `#[inline(always)]` function with const parameters (channels a tile, pooled pixels a tile, fused
/// multiply-add), once for each instruction set, and makes `$name(isa, arguments)` that chooses among them.
macro_rules! for_each_isa {
    ($name:ident, $body:ident, ($($arg:ident: $type:ty),* $(,)?)) => {
        #[allow(clippy::too_many_arguments, reason = "the arguments of one kernel")]
        pub(crate) fn $name(isa: $crate::isa::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
            fn avx512($($arg: $type),*) {
                $body::<32, 3, true>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                $body::<16, 1, true>($($arg),*)
            }
            match isa.0 {
                // SAFETY: an `Isa` of this kind is only made after the CPU was found to have the features.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "aarch64")]
                $crate::isa::Kind::Neon => $body::<16, 1, true>($($arg),*),
                $crate::isa::Kind::Portable => $body::<8, 1, false>($($arg),*),
            }
        }
    };
}
pub(crate) use for_each_isa;

/// `a * b + c`, fused where the instruction set has it (without, `mul_add` would be a slow library call).
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Like [`for_each_isa`], with the const arguments of each instruction set given.
macro_rules! for_each_isa_with {
    ($name:ident, $body:ident,
        avx512: [$($avx512:tt)*], avx2: [$($avx2:tt)*], neon: [$($neon:tt)*], portable: [$($portable:tt)*],
        ($($arg:ident: $type:ty),* $(,)?)
    ) => {
        #[allow(clippy::too_many_arguments, reason = "the arguments of one kernel")]
        pub(crate) fn $name(isa: $crate::isa::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
            fn avx512($($arg: $type),*) {
                $body::<$($avx512)*>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $type),*) {
                $body::<$($avx2)*>($($arg),*)
            }
            match isa.0 {
                // SAFETY: an `Isa` of this kind is only made after the CPU was found to have the features.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::isa::Kind::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "aarch64")]
                $crate::isa::Kind::Neon => $body::<$($neon)*>($($arg),*),
                $crate::isa::Kind::Portable => $body::<$($portable)*>($($arg),*),
            }
        }
    };
}
pub(crate) use for_each_isa_with;
