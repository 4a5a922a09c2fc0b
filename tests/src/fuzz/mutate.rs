//! Deterministic mutations: the same seed gives the same inputs on every machine.

/// A small generator of numbers (SplitMix64); good enough to pick mutations, and reproducible.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let number = if bound == 0 { 0 } else { self.next_u64() % bound };
        usize::try_from(number).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next_u64().to_le_bytes()[0]
    }
}

/// Values at which parsers break: ends of ranges, and bytes with a meaning in the formats read here.
const SPECIAL: [u8; 16] =
    [0x00, 0x01, 0x02, 0x7f, 0x80, 0xfd, 0xfe, 0xff, b'"', b'[', b'{', b'-', b'0', b'9', b'.', b'\n'];
/// Longest input made.
const LONGEST: usize = 64 * 1024;

/// Makes an input of one or a few mutations of a seed.
pub fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(3) {
        mutate_once(random, &mut data, seeds);
    }
    data.truncate(LONGEST);
    data
}

fn mutate_once(random: &mut Random, data: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(data.len());
    match random.below(9) {
        0 if !data.is_empty() => data[at] ^= 1 << random.below(8),
        1 if !data.is_empty() => data[at] = SPECIAL[random.below(SPECIAL.len())],
        2 if !data.is_empty() => data[at] = random.byte(),
        3 => data.truncate(at),
        4 => data.insert(at, random.byte()),
        5 if !data.is_empty() => drop(data.remove(at)),
        // A piece once more, as in a list with one member too many.
        6 => {
            let piece = data[at..].iter().copied().take(1 + random.below(64)).collect::<Vec<_>>();
            data.splice(at..at, piece);
        }
        // A number of four bytes with an end of its range in it.
        7 if data.len() >= 4 => {
            let start = at.min(data.len() - 4);
            let number = [0, 1, u32::MAX, i32::MAX.unsigned_abs(), 1 << 31][random.below(5)];
            data[start..start + 4].copy_from_slice(&number.to_le_bytes());
        }
        // The head of one example with the tail of another.
        _ => {
            if let Some(other) = seeds.get(random.below(seeds.len())) {
                data.truncate(at);
                data.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
    }
}
