//! Closed sets of named choices.

/// Declares an enum whose variants have the names that settings files and command lines know them by: `FromStr`,
/// serde's traits, and `NAMES` with all of them. The caller's crate needs serde.
///
/// ```
/// pelage_data::choices! {
///     /// How images are turned.
///     #[derive(Default)]
///     Turn {
///         /// Not at all.
///         #[default]
///         Upright = "upright",
///         /// By a half.
///         UpsideDown = "upside-down",
///     }
/// }
/// assert_eq!("upside-down".parse(), Ok(Turn::UpsideDown));
/// assert_eq!("left".parse::<Turn>(), Err("'left' is none of upright, upside-down".to_string()));
/// assert_eq!(Turn::default().name(), Turn::NAMES[0]);
/// ```
#[macro_export]
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant),+ }
        impl $name {
            /// Every choice's name.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// This choice's name.
            pub fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $text),+
                }
            }
        }
        impl ::std::str::FromStr for $name {
            type Err = ::std::string::String;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($text => Ok($name::$variant),)+
                    other => Err(::std::format!("'{other}' is none of {}", Self::NAMES.join(", "))),
                }
            }
        }
    };
}
