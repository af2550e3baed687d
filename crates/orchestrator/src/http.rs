//! A GET request over a plain socket: all that a health check needs of HTTP (RFC 9112).

use std::time::Duration;

use pipeline::HttpAddress;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A status line that is longer than this is none.
const MOST: u64 = 1024;

/// The status that an address answers with, such as 200. The error is why there is none.
pub(crate) async fn status(address: &HttpAddress, within: Duration) -> Result<u16, String> {
    let asked = async {
        let mut stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: pgdeploy\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            address.path,
            address.authority()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let mut bounded = stream.take(MOST);
        while !answer.contains(&b'\n') && bounded.read_buf(&mut answer).await? > 0 {}
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(within, asked).await {
        Err(_) => Err("no answer".into()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(answer)) => status_of(&answer).ok_or_else(|| "what it answers is not HTTP".into()),
    }
}

/// The number in `HTTP/1.1 200 OK`.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    words.next()?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::status_of;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(status_of(b"HTTP/1.1 204 No Content\r\nX: y"), Some(204));
        assert_eq!(status_of(b"HTTP/1.0 503\r\n"), Some(503));
        assert_eq!(status_of(b"SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(status_of(b""), None);
    }
}
