//! Neural-collapse regularisers and long-tail losses for Candle.
