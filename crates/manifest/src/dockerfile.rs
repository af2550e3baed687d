//! The image of a release: the binary and the files, nothing else.

use crate::facts::{Facts, RELEASE, Role, USER, inside};
use crate::quote::comment;

/// A Dockerfile beside pipeline.yaml.
pub fn dockerfile(facts: &Facts) -> String {
    let Facts { pipeline, environment, version, .. } = facts;
    let image = comment(&facts.image);
    let files: String = facts.files.iter().map(|file| copy(file)).collect();
    let config = match facts.config.as_str() {
        "pipeline.yaml" => String::new(),
        other => format!("ENV PGDEPLOY_CONFIG={}\n", json(&literal(other))),
    };
    let around = around(facts);
    format!(
        "# syntax=docker/dockerfile:1
# The release of {pipeline} with pgdeploy:  docker build -t {image}:$(pgdeploy manifest release --env {environment}) .
# The image pgdeploy:{version} is built from pgdeploy's own sources: scripts/image/Dockerfile there.
ARG PGDEPLOY=pgdeploy:{version}
FROM ${{PGDEPLOY}} AS pgdeploy

FROM scratch
# One static binary, the certificates of public authorities for sslmode=verify-full, and the release.
COPY --from=pgdeploy /pgdeploy /deploy_production /usr/bin/
COPY --from=pgdeploy /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
{files}{around}WORKDIR {RELEASE}
ENV PATH=/usr/bin
{config}# Nothing of the image is written: it runs with a read-only root, and as nobody in particular.
USER {USER}:{USER}
ENTRYPOINT [\"/usr/bin/pgdeploy\"]
CMD [\"deploy\", \"--env\", \"{environment}\"]
"
    )
}

/// What is not in the image, and what has to be done about it.
fn around(facts: &Facts) -> String {
    let mut text = String::new();
    for one in &facts.secrets {
        let (path, what) = (comment(&inside(&one.path)), comment(&one.what));
        text.push_str(&format!("# To be mounted: {path} ({what}).\n"));
    }
    for path in &facts.receipts {
        let path = comment(&inside(path));
        text.push_str(&format!(
            "# To be mounted: {path} (a receipt: it is newer than the image it is about).\n"
        ));
    }
    match (facts.written(Role::Deploy), &facts.receipt) {
        (Some(folder), _) => {
            let (folder, name) = (comment(&inside(folder)), &facts.environment);
            text.push_str(&format!(
                "# To be mounted, writable and kept: {folder} (the receipt of {name} is written there).\n"
            ));
        }
        (None, Some(path)) => {
            let path = comment(path);
            text.push_str(&format!(
                "# {path} cannot be written here: give the receipt a folder of its own in {}, so that one can be mounted.\n",
                comment(&facts.config)
            ));
        }
        (None, None) => {}
    }
    if !facts.programs.is_empty() {
        let programs = comment(&facts.programs.join(", "));
        text.push_str(&format!(
            "# Called, and not in an image from scratch: {programs}. Copy them in, or start from an image that has them; \
             scripts need their interpreter.\n"
        ));
    }
    text
}

/// A file becomes a file, and a folder's content is copied, so that its name is said again.
fn copy(file: &str) -> String {
    let target = inside(file);
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "/_.-".contains(one);
    if file.chars().all(is_plain) {
        return format!("COPY {file} {target}\n");
    }
    format!("COPY [{}, {}]\n", json(&pattern(file)), json(&literal(&target)))
}

/// A source is a pattern, in which variables are replaced before.
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    for one in text.chars() {
        match one {
            '*' | '?' | '[' => pattern.extend(['[', one, ']']),
            _ => pattern.push(one),
        }
    }
    literal(&pattern)
}

fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('$', "\\$")
}

fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for one in text.chars() {
        match one {
            '"' | '\\' => json.extend(['\\', one]),
            _ if one.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(one))),
            _ => json.push(one),
        }
    }
    json + "\""
}
