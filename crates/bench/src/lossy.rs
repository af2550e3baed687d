//! A proxy before a server's socket that now and then lets a COMMIT through and loses its answer: the client cannot know
//! whether it was done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

const SOCKET: &str = ".s.PGSQL.5432";
/// One in so many COMMITs is lost.
const ONE_IN: u32 = 150;

/// The proxy.
pub(crate) struct Lossy {
    directory: PathBuf,
    lost: Arc<AtomicU64>,
}

impl Lossy {
    /// Listens in a directory below the server's.
    pub(crate) async fn listen(server: &Path, over: CancellationToken) -> Result<Self> {
        let directory = server.join("lossy");
        std::fs::create_dir_all(&directory)?;
        let listener = UnixListener::bind(directory.join(SOCKET))?;
        let (lost, behind) = (Arc::new(AtomicU64::new(0)), server.join(SOCKET));
        let count = lost.clone();
        tokio::spawn(async move {
            loop {
                let client = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = over.cancelled() => break,
                };
                let Ok((client, _)) = client else { continue };
                let (behind, count) = (behind.clone(), count.clone());
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(behind).await {
                        let _ = pump(client, server, &count).await;
                    }
                });
            }
        });
        Ok(Self { directory, lost })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Both ways, until one ends or an answer is lost.
async fn pump(client: UnixStream, server: UnixStream, lost: &AtomicU64) -> std::io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut losing = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let bytes = &asked[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                // The simple query that ends a batch comes by itself.
                losing = bytes.starts_with(b"Q") && bytes.ends_with(b"COMMIT\0") && fastrand::u32(..ONE_IN) == 0;
                to_server.write_all(bytes).await?;
            }
            read = from_server.read(&mut answered) => {
                let bytes = &answered[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                if losing {
                    lost.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                to_client.write_all(bytes).await?;
            }
        }
    }
}
