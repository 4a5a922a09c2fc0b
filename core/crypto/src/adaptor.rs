//! Schnorr adaptor signatures.

/// An adaptor signature, 65-byte form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdaptorSignature([u8; 65]);

impl AdaptorSignature {
    /// The 65-byte form.
    pub const fn to_bytes(self) -> [u8; 65] {
        self.0
    }
}
