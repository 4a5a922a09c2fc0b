//! Text form of fixed-size byte values: lower-case hex in, out and in `Debug`.

/// Gives a `[u8; N]` newtype its bytes accessors and its hex text form.
macro_rules! impl_hex_bytes {
    ($type:ident, $size:literal) => {
        impl $type {
            #[doc = concat!("Wraps ", stringify!($size), " bytes; any value is accepted.")]
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            #[doc = concat!("Returns the ", stringify!($size), " bytes.")]
            pub const fn to_bytes(self) -> [u8; $size] {
                self.0
            }

            #[doc = concat!("Borrows the ", stringify!($size), " bytes.")]
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&bitcoin::hex::DisplayHex::as_hex(&self.0), f)
            }
        }

        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl core::str::FromStr for $type {
            type Err = bitcoin::hex::HexToArrayError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                <[u8; $size] as bitcoin::hex::FromHex>::from_hex(text).map(Self)
            }
        }
    };
}

pub(crate) use impl_hex_bytes;
