use super::*;
use crate::vectors::{any_secret, bytes};
use proptest::prelude::*;

const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

fn scalar(value: u64) -> Scalar {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&value.to_be_bytes());
    Scalar::canonical(&bytes).unwrap()
}

#[test]
fn integers_of_n_and_more_are_reduced() {
    let cases = [
        (ORDER, "0000000000000000000000000000000000000000000000000000000000000000"),
        (
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
        ),
        (
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
            "0000000000000000000000000000000000000000000000000000000000000001",
        ),
        (
            "ffffffffffffffffffffffffffffffff00000000000000000000000000000000",
            "000000000000000000000000000000004551231950b75fc4402da1732fc9bebf",
        ),
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "000000000000000000000000000000014551231950b75fc4402da1732fc9bebe",
        ),
    ];
    for (input, reduced) in cases {
        assert_eq!(hex::encode(*Scalar::reduced(&bytes(input)).to_bytes()), reduced, "{input}");
    }
}

#[test]
fn only_integers_below_n_are_canonical() {
    assert!(Scalar::canonical(&[0; 32]).unwrap().is_zero());
    assert!(Scalar::canonical(&bytes(ORDER)).is_none());
    assert!(Scalar::canonical(&[0xff; 32]).is_none());
}

#[test]
fn zero_behaves_as_zero() {
    let five = scalar(5);
    assert_eq!(five.plus(&Scalar::ZERO).to_bytes(), five.to_bytes());
    assert_eq!(Scalar::ZERO.plus(&five).to_bytes(), five.to_bytes());
    assert!(five.minus(&five).is_zero());
    assert!(five.times(&Scalar::ZERO).is_zero());
    assert!(Scalar::ZERO.times(&five).is_zero());
    assert!(Scalar::ZERO.negate().is_zero());
    assert!(Scalar::ZERO.invert().is_zero());
}

#[test]
fn small_sums_and_products_are_right() {
    assert_eq!(scalar(7).plus(&scalar(5)).to_bytes(), scalar(12).to_bytes());
    assert_eq!(scalar(7).minus(&scalar(5)).to_bytes(), scalar(2).to_bytes());
    assert_eq!(scalar(7).times(&scalar(5)).to_bytes(), scalar(35).to_bytes());
    assert_eq!(scalar(35).times(&scalar(5).invert()).to_bytes(), scalar(7).to_bytes());
}

proptest! {
    #[test]
    fn a_value_times_its_inverse_is_one(value in any_secret()) {
        let value = Scalar::reduced(&value);
        prop_assert_eq!(value.times(&value.invert()).to_bytes(), scalar(1).to_bytes());
    }

    #[test]
    fn reading_by_halves_equals_reading(value in any_secret()) {
        prop_assert_eq!(*Scalar::from_halves(&value).to_bytes(), value);
    }
}
