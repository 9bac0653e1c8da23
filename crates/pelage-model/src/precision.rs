//! What a model computes in.

pelage_data::choices! {
    /// What a model computes in.
    Precision {
        /// As it was trained.
        F32 = "f32",
        /// In bytes: a model that was quantized.
        Int8 = "int8",
        /// In the upper halves of f32: any model, where the CPU has instructions for that.
        Bf16 = "bf16",
    }
}
