//! End-to-end stories, golden vectors, fuzz targets and the arrow test.
