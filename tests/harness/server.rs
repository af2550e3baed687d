//! The throwaway server of this test run: started by the first test that needs it, gone with the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use scratch::Server;

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The shared server. Tests that stop or starve a server start one of their own.
pub(crate) fn server() -> &'static Server {
    SERVER.get_or_init(|| {
        Server::builder().setting("max_connections", "200").start().expect("a throwaway server")
    })
}

/// The URL of a new, empty database.
pub(crate) fn database() -> String {
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server().create_database(&name).expect("a database of the test's own");
    server().url(&name)
}
