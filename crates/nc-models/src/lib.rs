//! CIFAR ResNets and classifier heads for Candle, with seeded initialisation and PyTorch parameter names.
