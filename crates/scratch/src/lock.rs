//! A lock on a file, by which the processes that use an embedded server agree.

use crate::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;
use std::process::Stdio;

/// One opening of a lock file (flock(2): the lock belongs to the opening, also where a child process has it).
///
/// Released by hand at the end, not by closing: a program that another thread is just starting holds copies of
/// all our files for a moment.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// `None` after it was handed to a keeper.
    file: Option<File>,
}

impl Lock {
    /// Opens the file and locks nothing yet.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = Some(opened.map_err(Error::io("open", &path))?);
        Ok(Self { path, file })
    }

    /// Waits for a lock that others may share.
    pub(crate) fn share(&self) -> Result<(), Error> {
        self.file.as_ref().map_or(Ok(()), File::lock_shared).map_err(Error::io("lock", &self.path))
    }

    /// Takes the lock for us alone, if nobody else has it; a shared one of ours becomes it.
    pub(crate) fn try_take(&self) -> Result<bool, Error> {
        match self.file.as_ref().map_or(Ok(()), File::try_lock) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &self.path)(error)),
        }
    }

    /// Whether somebody else has it; it is free after this.
    pub(crate) fn is_taken(&self) -> Result<bool, Error> {
        let taken = !self.try_take()?;
        if !taken {
            self.release();
        }
        Ok(taken)
    }

    /// A copy for a child process: the lock is free when that has ended, and we have let go of it.
    pub(crate) fn copy(&self) -> Result<Stdio, Error> {
        let copied = self.file.as_ref().map_or(Ok(None), |file| file.try_clone().map(Some));
        Ok(copied.map_err(Error::io("copy the lock", &self.path))?.map_or_else(Stdio::null, Stdio::from))
    }

    /// Leaves it to a child process alone.
    pub(crate) fn hand_over(mut self) -> Stdio {
        self.file.take().map_or_else(Stdio::null, Stdio::from)
    }

    fn release(&self) {
        if let Some(file) = &self.file {
            // What cannot be unlocked is closed at the end.
            let _ = file.unlock();
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.release();
    }
}
