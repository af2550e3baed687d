//! The receipt that a deploy writes: what has succeeded here, for those who cannot ask this database.

use std::io::Write;
use std::path::Path;

use gates::{Entry, Receipt};
use postgres::{Session, Warning};

use crate::gate::clock;
use crate::gate::evidence::{key, succeeded};
use crate::request::Request;

/// Writes it, if the environment writes one. What has been deployed stays deployed: that it could not be written is a
/// warning. `ends_well`: whether the deployment counts for the files that no other has proven.
pub(crate) async fn write(
    request: &Request,
    session: &mut Session,
    deployment: i64,
    ends_well: bool,
) -> Option<Warning> {
    let settings = request.gates.receipt.as_ref()?;
    let written = async {
        let receipt =
            receipt(request, session, deployment, ends_well).await.map_err(|error| error.to_string())?;
        let key = settings.key.as_ref().map_err(ToString::to_string)?;
        let signed = receipt.signed(key).map_err(|error| format!("the key {error}"))?;
        put(&settings.path, &signed.to_json()).map_err(|error| error.to_string())
    };
    unwritten(request, &written.await.err()?)
}

/// Says that it could not be written, if the environment writes one.
pub(crate) fn unwritten(request: &Request, why: &str) -> Option<Warning> {
    let settings = request.gates.receipt.as_ref()?;
    let warning = Warning {
        code: "W400",
        message: format!("the receipt {} could not be written: {why}", settings.path.display()),
        next: Some(
            "mend that, then: pgdeploy deploy --env {env} (with nothing to do it writes it again)".into(),
        ),
    };
    Some(warning.at(&request.environment))
}

async fn receipt(
    request: &Request,
    session: &mut Session,
    deployment: i64,
    ends_well: bool,
) -> Result<Receipt, postgres::Error> {
    let known = succeeded(session, &request.ledger, &request.environment).await?;
    let now = clock::now(session).await?;
    let files = request.release.files.iter().filter_map(|file| {
        let since = known.get(&key(file))?.or(ends_well.then_some(now))?;
        let (stage, path, sha256) = key(file);
        Some(Entry { stage, path, sha256, succeeded_at: since.as_second() })
    });
    Ok(Receipt {
        v: 1,
        pipeline: request.pipeline.clone(),
        environment: request.environment.clone(),
        release: request.release.hash.clone(),
        deployment,
        written_at: now.as_second(),
        files: files.collect(),
        signature: String::new(),
    })
}

/// Whoever reads it sees the old one or the new one, and never a half.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = folder.join(name);
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        // It may not even be there.
        let _ = std::fs::remove_file(&beside);
    }
    written
}
