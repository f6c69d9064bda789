use nc_data::rng::{Purpose, stream, transform_stream};
use proptest::prelude::*;
use rand::RngCore;

const PURPOSES: [Purpose; 8] = [
    Purpose::Subset,
    Purpose::Plan,
    Purpose::Augment,
    Purpose::Mix,
    Purpose::Test,
    Purpose::Validation,
    Purpose::Noise,
    Purpose::Transform,
];

#[test]
fn purposes_keep_their_numbers() {
    assert_eq!(PURPOSES.map(|purpose| purpose as u8), [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// Values from an independent ChaCha8 with the documented key.
#[test]
fn streams_keep_their_recorded_values() {
    let mut rng = stream(1, Purpose::Plan, 2, 3);
    assert_eq!([rng.next_u64(), rng.next_u64()], [7_721_313_440_808_763_356, 4_010_224_085_778_835_155]);
}

/// Values from an independent ChaCha8: the second word of the key is 8 + 2^8 kind + 2^32 occurrence.
#[test]
fn streams_of_transforms_keep_their_recorded_values() {
    assert_eq!(transform_stream(1, 0, 0, 2, 3), stream(1, Purpose::Transform, 2, 3));
    let mut rng = transform_stream(1, 11, 2, 3, 4);
    assert_eq!([rng.next_u64(), rng.next_u64()], [1_650_122_813_212_427_783, 15_674_359_067_263_326_320]);
}

proptest! {
    #[test]
    fn streams_of_transforms_differ(
        kinds in (1u8.., 1u8..), occurrences in (any::<u32>(), any::<u32>()), purpose in 0usize..8,
    ) {
        let draw = |kind, occurrence| transform_stream(5, kind, occurrence, 6, 7).next_u64();
        let (first, second) = (draw(kinds.0, occurrences.0), draw(kinds.1, occurrences.1));
        prop_assert_eq!(first == second, kinds.0 == kinds.1 && occurrences.0 == occurrences.1);
        prop_assert_ne!(first, stream(5, PURPOSES[purpose], 6, 7).next_u64());
    }

    #[test]
    fn streams_differ_if_any_part_of_the_key_differs(
        a in (any::<u64>(), 0usize..8, any::<u64>(), any::<u64>()), part in 0usize..4, bit in 0u32..64,
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
            1 => draw(seed, (purpose + 1) % 8, epoch, index),
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
