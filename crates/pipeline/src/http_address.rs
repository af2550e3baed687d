//! `http://host:port/path`: where a health check asks.

use std::fmt;

/// An address without encryption; its host is never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAddress {
    /// A name or an IP address, an IPv6 one without its brackets.
    pub host: String,
    /// 80 where none is written.
    pub port: u16,
    /// With the query, from the first `/` on.
    pub path: String,
}

impl HttpAddress {
    /// Reads an address. The error is what is wrong with it, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, String)> {
        let form = "such as http://127.0.0.1:8080/readyz".to_owned();
        if text.starts_with("https://") {
            let help = format!("let a program ask, which knows the certificates: run: [curl, -fsS, {text}]");
            return Err(("https is not asked for here".into(), help));
        }
        let refused = |what: &str| Err((what.to_owned(), form.clone()));
        let Some(rest) = text.strip_prefix("http://") else {
            return refused("this is not an http:// address");
        };
        if text.chars().any(|one| one.is_whitespace() || one.is_control()) {
            return refused("an address has no white space in it");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
            Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
            None => (rest, "/".to_owned()),
        };
        if authority.contains('@') {
            return refused("a health check has no user and password");
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let Ok(port) = port.map_or(Ok(80), str::parse) else { return refused("the port is not a number") };
        if host.is_empty() {
            return refused("the host is missing");
        }
        Ok(Self { host: host.to_owned(), port, path })
    }

    /// Host and port as the `Host` header has them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::HttpAddress;

    #[test]
    fn addresses_are_taken_apart_and_written_again() {
        for (text, again) in [
            ("http://localhost", "http://localhost/"),
            ("http://127.0.0.1:8080/readyz?full=1#x", "http://127.0.0.1:8080/readyz?full=1"),
            ("http://[::1]:9/", "http://[::1]:9/"),
            ("http://web:80?x", "http://web/?x"),
        ] {
            assert_eq!(HttpAddress::parse(text).unwrap().to_string(), again);
        }
        for text in
            ["web:80", "http://", "http://:80/", "http://a:b/", "http://u:p@h/", "http://a b/", "ftp://h/"]
        {
            assert!(HttpAddress::parse(text).is_err(), "{text}");
        }
        assert!(HttpAddress::parse("https://h/").unwrap_err().1.contains("curl"));
    }
}
