//! Durable typed tables over sled: a commit that returned is on disk.
