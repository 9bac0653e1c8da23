//! What a model computes in.

pelage_data::choices! {
    /// What a model computes in.
    Precision {
        /// As it was trained.
        F32 = "f32",
        /// In bytes: a model that was quantized.
        Int8 = "int8",
    }
}
