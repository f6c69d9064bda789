use nc_data::rng::{Purpose, stream};
use proptest::prelude::*;
use rand::RngCore;

const PURPOSES: [Purpose; 7] = [
    Purpose::Subset,
    Purpose::Plan,
    Purpose::Augment,
    Purpose::Mix,
    Purpose::Test,
    Purpose::Validation,
    Purpose::Noise,
];

#[test]
fn purposes_keep_their_numbers() {
    assert_eq!(PURPOSES.map(|purpose| purpose as u8), [1, 2, 3, 4, 5, 6, 7]);
}

/// Values from an independent ChaCha8 with the documented key.
#[test]
fn streams_keep_their_recorded_values() {
    let mut rng = stream(1, Purpose::Plan, 2, 3);
    assert_eq!([rng.next_u64(), rng.next_u64()], [7_721_313_440_808_763_356, 4_010_224_085_778_835_155]);
}

proptest! {
    #[test]
    fn streams_differ_if_any_part_of_the_key_differs(
        a in (any::<u64>(), 0usize..7, any::<u64>(), any::<u64>()), part in 0usize..4, bit in 0u32..64,
    ) {
        let (seed, purpose, epoch, index) = a;
        let draw = |seed, purpose: usize, epoch, index| {
            let mut rng = stream(seed, PURPOSES[purpose], epoch, index);
            [rng.next_u64(), rng.next_u64()]
        };
        let here = draw(seed, purpose, epoch, index);
        prop_assert_eq!(here, draw(seed, purpose, epoch, index));
        let other = match part {
            0 => draw(seed ^ 1 << bit, purpose, epoch, index),
            1 => draw(seed, (purpose + 1) % 7, epoch, index),
            2 => draw(seed, purpose, epoch ^ 1 << bit, index),
            _ => draw(seed, purpose, epoch, index ^ 1 << bit),
        };
        prop_assert_ne!(here, other);
        // Keys that a sum or exclusive or of the parts would confuse.
        if seed != epoch {
            prop_assert_ne!(here, draw(epoch, purpose, seed, index));
        }
    }
}
