//! organize
