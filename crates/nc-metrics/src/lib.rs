//! Neural-collapse geometry, accuracy by class and shot group, and calibration of any feature set.
