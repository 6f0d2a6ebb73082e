//! Files in a form (RFC 7578), as `curl -F` and browsers send them.

use std::convert::Infallible;

use axum::body::Bytes;
use futures_util::{FutureExt, stream};
use multer::{Error, Multipart};

use super::ask::too_many;
use crate::error::Refusal;

/// Letters of the name of a file that are kept.
const LETTERS: usize = 200;

/// What the parts of a form lie between, by its `Content-Type`.
///
/// # Errors
///
/// If it is not said.
pub fn boundary(content_type: &str) -> Result<String, Refusal> {
    multer::parse_boundary(content_type).map_err(|error| wrong(&error))
}

/// The files of a form, and what they are called: by their names, or their numbers where they have none.
///
/// # Errors
///
/// If it is no form, has no files, more than so many, or something else.
pub fn files(
    body: &Bytes,
    boundary: &str,
    most: usize,
) -> Result<(Vec<String>, Vec<Bytes>), Refusal> {
    // The body is there: nothing is waited for.
    let found = read(body.clone(), boundary, most).now_or_never();
    let unread = || Refusal::internal("the form could not be read; this is a bug of the server");
    let found = found.ok_or_else(unread)??;
    match found.1.is_empty() {
        true => Err(Refusal::bad(
            "the form has no file: send one as -F image=@a.png",
        )),
        false => Ok(found),
    }
}

async fn read(
    body: Bytes,
    boundary: &str,
    most: usize,
) -> Result<(Vec<String>, Vec<Bytes>), Refusal> {
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = Multipart::new(body, boundary);
    let (mut names, mut files) = (Vec::new(), Vec::new());
    while let Some(field) = form.next_field().await.map_err(|error| wrong(&error))? {
        let short = |name: &str| name.chars().take(LETTERS).collect::<String>();
        let Some(name) = field.file_name().map(short) else {
            let part = short(field.name().unwrap_or_default());
            let message =
                format!("the part {part:?} of the form is no file: send it as -F {part}=@FILE");
            return Err(Refusal::bad(message));
        };
        let number = files.len() + 1;
        if number > most {
            return Err(too_many(number, most));
        }
        let bytes = field.bytes().await.map_err(|error| wrong(&error))?;
        if bytes.is_empty() {
            let message = format!("the file {name:?} of the form is empty");
            return Err(Refusal::bad(message));
        }
        names.push(if name.is_empty() {
            number.to_string()
        } else {
            name
        });
        files.push(bytes);
    }
    Ok((names, files))
}

fn wrong(error: &Error) -> Refusal {
    Refusal::bad(format!("the form cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    fn found(body: &str) -> Result<(Vec<String>, Vec<Bytes>), String> {
        let body = Bytes::from(body.replace('\n', "\r\n"));
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let read = runtime.block_on(read(body, "--x", 2));
        read.map_err(|refusal| refusal.message)
    }

    fn part(head: &str, content: &str) -> String {
        format!("----x\nContent-Disposition: form-data; {head}\n\n{content}\n")
    }

    #[test]
    fn files_keep_their_names_and_anything_else_is_refused() {
        let (a, b) = (
            part("name=\"image\"; filename=\"a b.png\"", "one\ntwo"),
            part("name=\"image\"; filename=\"\"", "three"),
        );
        let (names, files) = found(&format!("{a}{b}----x--\n")).expect("two files");
        assert_eq!(names, ["a b.png", "2"]);
        assert_eq!(files, ["one\r\ntwo", "three"]);
        let cases = [
            (format!("{a}{b}{a}----x--\n"), "2 rows, not 3"),
            (format!("{a}{b}"), "cannot be read"),
            (
                part("name=\"top\"", "3") + "----x--\n",
                "\"top\" of the form is no file",
            ),
            (
                part("name=\"i\"; filename=\"e\"", "") + "----x--\n",
                "\"e\" of the form is empty",
            ),
            ("nothing of the kind".to_owned(), "cannot be read"),
        ];
        for (body, word) in cases {
            let error = found(&body).expect_err(word);
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(
            boundary("multipart/form-data; boundary=--x").as_deref(),
            Ok("--x")
        );
        assert!(boundary("multipart/form-data").is_err());
    }
}
