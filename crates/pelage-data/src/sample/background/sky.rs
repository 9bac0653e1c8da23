//! The colors of a sky, from the top down to the horizon.

use tiny_skia::Color;

use crate::sample::palette::hex;
use crate::sample::random::Random;

pub(super) fn sky(random: &mut Random) -> [Color; 2] {
    let skies = [
        [0x5fa8dc, 0xd3ebf5],
        [0x8ab8d8, 0xf0e6d0],
        [0xe89a6a, 0xf7dfae],
        [0xa9b4bf, 0xdfe3e6],
        [0x31466e, 0x8a7fa8],
        [0x7cc4c0, 0xeef5e0],
    ];
    random.pick(&skies).map(hex)
}
