//! Scenarios on a real server.
