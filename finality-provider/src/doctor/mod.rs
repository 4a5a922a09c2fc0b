//! Looks at everything a provider depends on and says how to mend what is wrong.

pub mod disk;
