//! what people read
