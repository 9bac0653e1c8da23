//! One self-contained page about a run: `findings` gathers what `page` shows.

pub mod findings;
pub mod page;
mod thumbnail;

pub use findings::Findings;
pub use page::html;
