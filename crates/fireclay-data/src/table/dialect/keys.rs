//! The keys of a configuration that say how a text holds a table, declared once for every configuration
//! that has them.

/// A configuration of a table: its own keys before and after those that say how the text is written.
macro_rules! with_dialect {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            { $($before:tt)* }
            { $($after:tt)* }
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($before)*
            /// The character between fields (csv only); a space stands for any run of spaces and tabs.
            /// Default: a tab in `.tsv` files, else a comma.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub delimiter: Option<String>,
            /// The character around fields (csv only), or an empty text where quotes have no meaning.
            /// Default: a double quote.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub quote: Option<String>,
            /// The character that starts a line of comment, such as "#" (csv only). Default: none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<String>,
            /// Lines above the table that are no part of it, such as a title (csv only). Default: 0.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub skip_rows: Option<usize>,
            /// Whether the first line names the columns (csv only); if not, they are `column_1`, `column_2`
            /// and so on. Default: true.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub header: Option<bool>,
            /// Where each row has one field more than the header (csv only): the first, which names the row
            /// (the column `Unnamed: 0`), or the last, which is empty. Default: neither.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub extra_field: Option<$crate::table::ExtraField>,
            /// A text such as "Total" (csv only): where one of the last three rows of a file has a cell that is
            /// this text, it and the rows below it are left out. Default: none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub footer: Option<String>,
            /// The encoding of the text (csv, jsonl), such as "windows-1252" (Latin-1), "utf-16le" or
            /// "shift_jis", unless a mark at its start says otherwise. A file that is UTF-8 all the same is
            /// read so, with a note. Default: "utf-8".
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub encoding: Option<String>,
            /// Words that mean "missing" (csv only), in place of the default; `extra_null_values` adds to it,
            /// and `columns.NAME.null_values` is for one column. An empty cell is missing in any case.
            /// Default: ?, and those of pandas: NA, N/A, n/a, `<NA>`, #N/A, #N/A N/A, #NA, NaN, nan, -NaN,
            /// -nan, NULL, null, None, 1.#IND, 1.#QNAN, -1.#IND, -1.#QNAN.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub null_values: Option<Vec<String>>,
            /// Words that mean "missing" beside those of `null_values`, such as "-999" (csv only).
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub extra_null_values: Vec<String>,
            $($after)*
        }

        impl $name {
            /// The keys that say how a text is written.
            pub fn dialect(&self) -> $crate::table::Dialect {
                $crate::table::Dialect {
                    delimiter: self.delimiter.clone(),
                    quote: self.quote.clone(),
                    comment: self.comment.clone(),
                    skip_rows: self.skip_rows,
                    header: self.header,
                    extra_field: self.extra_field,
                    footer: self.footer.clone(),
                    encoding: self.encoding.clone(),
                }
            }
        }
    };
}

pub(crate) use with_dialect;
