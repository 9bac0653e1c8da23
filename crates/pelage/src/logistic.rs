//! Multinomial logistic regression with L2 regularization, solved to its optimum: a linear head on features that do not
//! change. In f64, and the same on any number of threads.

pub mod crossed;
mod lbfgs;
pub mod problem;

pub use crossed::{Choice, choose, folds};
pub use problem::{Coefficients, Samples, fit};
