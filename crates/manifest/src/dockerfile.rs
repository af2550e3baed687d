//! The image of a release: the binary and the files, nothing else.

use crate::facts::{Facts, USER};

/// A Dockerfile beside pipeline.yaml.
pub fn dockerfile(facts: &Facts) -> String {
    let Facts { pipeline, environment, version, image, .. } = facts;
    let files: String = facts
        .files
        .iter()
        .map(|file| match file.rsplit_once('/') {
            // A folder's content is copied, so its name is said again.
            _ if !file.ends_with(".yaml") && !file.ends_with(".sql") => {
                format!("COPY {file} /release/{file}\n")
            }
            Some((folder, _)) => format!("COPY {file} /release/{folder}/\n"),
            None => format!("COPY {file} /release/\n"),
        })
        .collect();
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
{files}WORKDIR /release
ENV PATH=/usr/bin
# Nothing is written: it runs with a read-only root, and as nobody in particular.
USER {USER}:{USER}
ENTRYPOINT [\"/usr/bin/pgdeploy\"]
CMD [\"deploy\", \"--env\", \"{environment}\"]
"
    )
}
