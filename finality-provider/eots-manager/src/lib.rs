//! The only home of EOTS keys, with the sign records that guard them.
