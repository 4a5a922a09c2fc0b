//! Who has voted and whether that is enough (`chain.md` 10.5).
