//! Decoders that panic over a hostile file: an error of that file, and not a word of theirs on stderr.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives, or nothing where it panics, of which nothing is printed.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                before(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_gives_nothing_and_the_thread_is_as_before() {
        assert_eq!(quietly(|| 1), Some(1));
        let nested = quietly(|| {
            assert_eq!(quietly(|| -> u8 { panic!("of a decoder") }), None);
            assert!(QUIET.get());
            2
        });
        assert_eq!(nested, Some(2));
        assert!(!QUIET.get());
    }
}
