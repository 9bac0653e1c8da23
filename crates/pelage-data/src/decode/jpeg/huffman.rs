//! Huffman codes of a JPEG, read only to see how far its data goes.

/// The codes of one table: for each sixteen bits that may come next, how long the code is and what it stands for. No
/// length where no code begins so.
pub(super) struct Codes(Vec<(u8, u8)>);

impl Codes {
    /// The tables of a segment that defines some, each with its class (0: DC, 1: AC) and number in one byte.
    pub(super) fn read(mut payload: &[u8]) -> Vec<(u8, Codes)> {
        let mut tables = Vec::new();
        while let Some((&kind, rest)) = payload.split_first() {
            let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
                break;
            };
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let Some((symbols, rest)) = rest.split_at_checked(total) else {
                break;
            };
            tables.push((kind, Codes::of(counts, symbols)));
            payload = rest;
        }
        tables
    }

    fn of(counts: &[u8; 16], symbols: &[u8]) -> Codes {
        let mut codes = Vec::with_capacity(1 << 16);
        let mut symbols = symbols.iter();
        for (length, &count) in (1u8..).zip(counts) {
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                let end = (codes.len() + (1 << (16 - length))).min(1 << 16);
                codes.resize(end, (length, symbol));
            }
        }
        codes.resize(1 << 16, (0, 0));
        Codes(codes)
    }
}

/// The bits of entropy-coded data up to the next marker.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
}

/// Why there is no further block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The data ends.
    Ended,
    /// No code begins like this.
    Unknown,
}

/// What is known of a block.
pub(super) struct Block {
    /// The change of the mean.
    pub(super) change: i32,
    /// Whether there is anything but the mean.
    pub(super) detailed: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Bits {
            data,
            at: 0,
            bits: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match self.data.get(self.at) {
                Some(0xFF) => match self.data.get(self.at + 1) {
                    Some(0) => {
                        self.at += 1;
                        0xFF
                    }
                    _ => break,
                },
                Some(&byte) => byte,
                None => break,
            };
            self.at += 1;
            self.bits = self.bits << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next sixteen bits; zeros behind the last ones.
    fn peek(&mut self) -> usize {
        self.fill();
        let bits = match self.count {
            16.. => self.bits >> (self.count - 16),
            few => self.bits << (16 - few),
        };
        (bits & 0xFFFF) as usize
    }

    fn skip(&mut self, bits: u32) -> Result<(), Stop> {
        self.count = self.count.checked_sub(bits).ok_or(Stop::Ended)?;
        Ok(())
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u8, Stop> {
        let (length, symbol) = codes.0[self.peek()];
        match length {
            // Codes of ones alone are not given away: what fills the last byte begins none.
            0 if self.count < 16 => Err(Stop::Ended),
            0 => Err(Stop::Unknown),
            _ => self.skip(u32::from(length)).map(|()| symbol),
        }
    }

    /// The number that the next `size` bits are, negative where the first one is 0.
    fn number(&mut self, size: u32) -> Result<i32, Stop> {
        let bits = (self.peek() >> (16 - size)) as i32;
        self.skip(size)?;
        let negative = size > 0 && bits >> (size - 1) == 0;
        Ok(if negative { bits - (1 << size) + 1 } else { bits })
    }

    /// Where the next bit is, as a place in the data; up to a byte before or behind it where bytes are stuffed.
    pub(super) fn place(&self) -> usize {
        self.at - (self.count / 8) as usize
    }

    /// Whether nothing is left but what fills the last byte.
    pub(super) fn is_over(&mut self) -> bool {
        self.fill();
        self.count < 8 && self.bits & ((1 << self.count) - 1) == (1 << self.count) - 1
    }

    pub(super) fn block(&mut self, dc: &Codes, ac: &Codes) -> Result<Block, Stop> {
        let size = u32::from(self.symbol(dc)?);
        if size > 15 {
            return Err(Stop::Unknown);
        }
        let change = self.number(size)?;
        let (mut at, mut detailed) = (1, false);
        while at < 64 {
            let symbol = self.symbol(ac)?;
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            match (run, size) {
                (0, 0) => break,
                (15, 0) => at += 16,
                (_, 0) => return Err(Stop::Unknown),
                _ => {
                    at += u32::from(run) + 1;
                    detailed = true;
                    self.number(size)?;
                }
            }
        }
        Ok(Block { change, detailed })
    }
}
