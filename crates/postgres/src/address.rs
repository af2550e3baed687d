//! What a URL says beyond what the driver reads of it.

use std::borrow::Cow;
use std::time::Duration;

/// A server that accepts and does not answer is given up after this, where the URL does not say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The form that the driver reads: an authority with a user or a port but no host (section 34.1.1.2 of the manual allows
/// `postgresql://user@/db?host=/run/pg`) becomes parameters.
pub(crate) fn readable(url: &str) -> Cow<'_, str> {
    let Some(start) = url.find("://").map(|at| at + 3) else { return url.into() };
    let end = start + url[start..].find(['/', '?', '#']).unwrap_or(url.len() - start);
    let (authority, rest) = (&url[start..end], &url[end..]);
    let (who, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let port = place.strip_prefix(':');
    if authority.is_empty() || !(place.is_empty() || port.is_some()) {
        return url.into();
    }
    let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
    let said = [("user", Some(user)), ("password", password), ("port", port)];
    let said = said.into_iter().filter_map(|(key, value)| Some((key, value?)));
    // What a query takes for a separator or a blank, a user's name does not.
    let escaped = |value: &str| value.replace('&', "%26").replace('+', "%2B");
    let said: Vec<String> = said
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", escaped(value)))
        .collect();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // What the query says itself counts, so it comes last.
    format!("{}{path}?{}&{query}", &url[..start], said.join("&")).into()
}

/// libpq's `connect_timeout` (section 34.1.2): whole seconds; zero and less wait for ever, which `None` stands for.
pub(crate) fn connect_timeout(url: &str) -> Result<Option<Duration>, String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let said = query.split(['&', '#']).filter_map(|pair| pair.strip_prefix("connect_timeout=")).next_back();
    let Some(said) = said else { return Ok(Some(CONNECT_TIMEOUT)) };
    let seconds: i64 =
        said.parse().map_err(|_| "has a connect_timeout that is no whole number of seconds")?;
    Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_without_a_host_becomes_parameters() {
        for (url, readable_url) in [
            ("postgresql://postgres@/db?host=/sock", "postgresql:///db?user=postgres&host=/sock"),
            ("postgresql://a%40b:p+w@?host=/s", "postgresql://?user=a%40b&password=p%2Bw&host=/s"),
            ("postgresql://:5433/db", "postgresql:///db?port=5433&"),
        ] {
            assert_eq!(readable(url), readable_url);
        }
        for url in ["postgresql:///db?host=/s", "postgresql://u:p@h:1/d", "postgresql://[::1]:2/d"] {
            assert_eq!(readable(url), url);
        }
    }

    #[test]
    fn connect_timeout_is_the_urls_own_or_ten_seconds() {
        assert_eq!(connect_timeout("postgresql://h/d"), Ok(Some(CONNECT_TIMEOUT)));
        assert_eq!(
            connect_timeout("postgresql://h/d?a=b&connect_timeout=3"),
            Ok(Some(Duration::from_secs(3)))
        );
        assert_eq!(connect_timeout("postgresql://h/d?connect_timeout=0"), Ok(None));
        assert!(connect_timeout("postgresql://h/d?connect_timeout=soon").is_err());
    }
}
