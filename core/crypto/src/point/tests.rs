use super::*;
use crate::vectors::{any_secret, bytes};
use proptest::prelude::*;

fn public(secret: &[u8; 32]) -> XOnlyPublicKey {
    Point::generator_times(&Scalar::reduced(secret)).finite().unwrap().x_only_public_key().0
}

/// A public key whose x-coordinate is `n` or more: recovery would read another point from it.
fn key_with_x_above_the_order() -> XOnlyPublicKey {
    let mut x: [u8; 32] = bytes("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    (0..=u8::MAX)
        .find_map(|last| {
            x[31] = last;
            x[30] = 0x42;
            XOnlyPublicKey::from_slice(&x).ok()
        })
        .expect("half of all x-coordinates are on the curve")
}

#[test]
fn recovery_is_not_used_where_it_is_undefined() {
    let d = [3; 32];
    let key = public(&d);
    let even_d =
        Scalar::reduced(&d).negate_if(Point::generator_times(&Scalar::reduced(&d)) != Point::from(&key));
    let [s, e] = [[5; 32], [7; 32]].map(|bytes| Scalar::reduced(&bytes));
    let infinite_s = e.times(&even_d);
    let strange_key = key_with_x_above_the_order();
    let cases = [
        (&Scalar::ZERO, &e, &key),
        (&s, &Scalar::ZERO, &key),
        (&Scalar::ZERO, &Scalar::ZERO, &key),
        (&infinite_s, &e, &key),
        (&s, &e, &strange_key),
    ];
    for (s, e, key) in cases {
        assert!(recovered_verification_point(s, e, key).is_none());
        assert!(verification_point(s, e, key) == summed_verification_point(s, e, key));
    }
    assert!(verification_point(&infinite_s, &e, &key) == Point::INFINITY);
    assert!(verification_point(&Scalar::ZERO, &Scalar::ZERO, &key) == Point::INFINITY);
}

#[test]
fn adding_knows_infinity() {
    let point = Point::generator_times(&Scalar::reduced(&[9; 32]));
    assert!(point.minus(point) == Point::INFINITY);
    assert!(point.plus(Point::INFINITY) == point);
    assert!(Point::INFINITY.plus(point) == point);
    assert!(Point::INFINITY.negate() == Point::INFINITY);
    assert!(point.times(&Scalar::ZERO) == Point::INFINITY);
}

proptest! {
    #[test]
    fn recovered_sum_equals_the_sum(d in any_secret(), s in any_secret(), e in any_secret()) {
        let key = public(&d);
        let [s, e] = [s, e].map(|bytes| Scalar::reduced(&bytes));
        let recovered = recovered_verification_point(&s, &e, &key).expect("defined for all but unreachable values");
        prop_assert!(recovered == summed_verification_point(&s, &e, &key));
    }

    #[test]
    fn recovered_sum_differs_for_another_scalar(d in any_secret(), s in any_secret(), e in any_secret(), bit in 0usize..256) {
        let mut other = s;
        other[bit / 8] ^= 1 << (bit % 8);
        let key = public(&d);
        let [s, e, other] = [s, e, other].map(|bytes| Scalar::reduced(&bytes));
        prop_assert!(verification_point(&s, &e, &key) != verification_point(&other, &e, &key));
    }
}
