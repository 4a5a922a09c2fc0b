//! The holder's command line: stake, unbond, withdraw.
