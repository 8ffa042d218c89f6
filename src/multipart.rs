//! Forms with a file (RFC 7578).

use uuid::Uuid;

/// A form as it is posted.
#[derive(Clone)]
pub struct Form {
    /// The value of `content-type`.
    pub content_type: String,
    /// What is sent.
    pub body: Vec<u8>,
}

impl Form {
    /// Fields with their texts, then a file in the field `file`.
    #[must_use]
    pub fn new(fields: &[(&str, &str)], file_name: &str, media_type: &str, file: &[u8]) -> Self {
        let boundary = format!("sportello-{}", Uuid::new_v4().simple());
        let begin = format!("--{boundary}\r\ncontent-disposition: form-data; name=");
        let mut head = String::new();
        for (name, value) in fields {
            head.push_str(&format!("{begin}\"{name}\"\r\n\r\n{value}\r\n"));
        }
        head.push_str(&format!(
            "{begin}\"file\"; filename=\"{file_name}\"\r\ncontent-type: {media_type}\r\n\r\n"
        ));
        let end = format!("\r\n--{boundary}--\r\n");
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            body: [head.as_bytes(), file, end.as_bytes()].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_between_the_boundary_that_is_told() {
        let form = Form::new(&[("type", "image/png")], "file.png", "image/png", b"bytes");
        let body = String::from_utf8(form.body).unwrap();
        let boundary = form.content_type.rsplit('=').next().unwrap();
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(
            parts,
            [
                "",
                "\r\ncontent-disposition: form-data; name=\"type\"\r\n\r\nimage/png\r\n",
                "\r\ncontent-disposition: form-data; name=\"file\"; filename=\"file.png\"\r\n\
                 content-type: image/png\r\n\r\nbytes\r\n",
                "--\r\n",
            ]
        );
    }
}
