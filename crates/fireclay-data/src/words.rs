//! Enums whose variants each have a word in a configuration.

/// An enum whose variants each have a word in a configuration, with what it stands for.
pub trait Worded: Copy + Sized + 'static {
    /// All of them.
    const ALL: &[Self];
    /// Each word and what it stands for, as it is listed to the user.
    const TYPES: &[(&str, &str)];

    /// The word.
    fn name(self) -> &'static str;
}

/// An enum that is [`Worded`], with `ALL`, `TYPES`, `name` and `from_name` of its own.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $kind:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:tt,)+ }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        pub enum $kind {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl $crate::words::Worded for $kind {
            const ALL: &[Self] = &Self::ALL;
            const TYPES: &[(&str, &str)] = Self::TYPES;

            fn name(self) -> &'static str {
                Self::name(self)
            }
        }

        impl $kind {
            /// All of them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// Each word and what it stands for, as it is listed to the user.
            pub const TYPES: &[(&str, &str)] = &[$(($word, concat!($($doc),+))),+];

            /// The word used in a configuration.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What a word stands for.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}

/// The same, and `format`: what the module of each variant says of itself in its constant `FORMAT`.
/// So a format is added by its module and one line.
macro_rules! formats {
    (
        $(#[$meta:meta])*
        pub enum $kind:ident: $format:ty {
            $($(#[doc = $doc:literal])+ $variant:ident = $word:tt => $module:ident,)+
        }
    ) => {
        $crate::words::words! {
            $(#[$meta])*
            pub enum $kind { $($(#[doc = $doc])+ $variant = $word,)+ }
        }

        impl $kind {
            pub(crate) fn format(self) -> &'static $format {
                match self {
                    $(Self::$variant => &$module::FORMAT,)+
                }
            }

            /// Whether the key of `[data]` has a meaning for this format.
            pub(crate) fn reads(self, key: &str) -> bool {
                self.format().keys.contains(&key)
            }

            /// Refuses the given keys that only other formats read. Each key comes with whether it is given.
            pub(crate) fn check_keys(
                self,
                keys: &[(&'static str, bool)],
                problems: &mut $crate::config::Problems,
            ) {
                for (key, _) in keys.iter().filter(|(key, given)| *given && !self.reads(key)) {
                    let readers = Self::names_of(|format| format.keys.contains(key));
                    let name = self.name();
                    problems.add(key, format!("is for {readers} only; {name} has no use for it"));
                }
            }

            /// The words of the formats that fit, with commas between them.
            pub(crate) fn names_of(fits: impl Fn(&$format) -> bool) -> String {
                let names = Self::ALL.into_iter().filter(|one| fits(one.format())).map(Self::name);
                names.collect::<Vec<_>>().join(", ")
            }
        }
    };
}

pub(crate) use formats;
pub(crate) use words;
