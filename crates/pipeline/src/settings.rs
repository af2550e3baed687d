//! The settings of the three stages: an environment's over the pipeline's over the defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::at::At;
use crate::code;
use crate::limit as limits;
use crate::raw::Stages;
use crate::reading::Reading;
use crate::schema_stage::SchemaSettings;
use crate::throttle::ThrottleSettings;

/// The settings of all three stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Stage 1.
    pub schema: SchemaSettings,
    /// Stage 2.
    pub index: IndexSettings,
    /// Stage 3.
    pub backfill: BackfillSettings,
}

/// Stage 2: indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSettings {
    /// The folder, relative to the pipeline's directory.
    pub path: PathBuf,
    /// How long the stage may take inside a deploy.
    pub budget: Duration,
    /// Builds at once, each on another table; never zero.
    pub parallel: u64,
    /// What is done about a valid index of another definition.
    pub on_drift: OnDrift,
    /// What becomes of a build when the deploy is interrupted.
    pub on_interrupt: OnInterrupt,
}

/// What is done about a valid index whose definition is not the declared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// It is told.
    Warn,
    /// The declared one takes its place.
    Replace,
}

/// What becomes of a build when the deploy is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The server finishes it.
    Detach,
    /// It is cancelled, and what it leaves is removed.
    Cancel,
}

/// Stage 3: backfills. `0 < min_batch <= batch_size <= max_batch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillSettings {
    /// The folder, relative to the pipeline's directory.
    pub path: PathBuf,
    /// How long the stage may take inside a deploy.
    pub budget: Duration,
    /// Rows in the first batch.
    pub batch_size: u64,
    /// How long one batch may hold its row locks.
    pub target: Duration,
    /// The fewest rows in a batch.
    pub min_batch: u64,
    /// The most rows in a batch.
    pub max_batch: u64,
    /// Between two batches.
    pub pause: Duration,
    /// Sessions that work on one backfill at once.
    pub workers: u64,
    /// The share of the time in which a worker works, in percent.
    pub duty_percent: u64,
    /// What slows it down or holds it up.
    pub throttle: ThrottleSettings,
    /// How long a batch may wait for a lock; never zero.
    pub lock_timeout: Duration,
    /// How long one batch may run; never zero.
    pub statement_timeout: Duration,
    /// After how long the server ends a batch whose client fell silent; never zero.
    pub idle_in_transaction_session_timeout: Duration,
    /// Batches between two lines of progress where there is no terminal.
    pub progress_every: u64,
}

/// What a setting is looked up in, the strongest first.
pub(crate) type Layers<'a> = [Option<&'a Stages>; 2];

/// The first of the layers that holds the setting.
macro_rules! pick {
    ($layers:expr, $stage:ident.$key:ident) => {
        $layers.iter().flatten().filter_map(|one| one.$stage.as_ref()?.$key.as_ref()).next()
    };
}
pub(crate) use pick;

impl Reading<'_> {
    pub(crate) fn settings(&mut self, layers: Layers<'_>) -> Settings {
        let index = IndexSettings {
            path: self.path(pick!(layers, index.path), limits::INDEX_PATH),
            budget: self.duration(pick!(layers, index.budget), &limits::INDEX_BUDGET),
            parallel: self.number(pick!(layers, index.parallel), &limits::INDEX_PARALLEL),
            on_drift: self.choice(
                pick!(layers, index.on_drift),
                &[("warn", OnDrift::Warn), ("replace", OnDrift::Replace)],
            ),
            on_interrupt: self.choice(
                pick!(layers, index.on_interrupt),
                &[("detach", OnInterrupt::Detach), ("cancel", OnInterrupt::Cancel)],
            ),
        };
        let settings = Settings { schema: self.schema_stage(layers), index, backfill: self.backfill(layers) };
        self.folders_differ(layers, &settings);
        settings
    }

    fn backfill(&mut self, layers: Layers<'_>) -> BackfillSettings {
        let statement = pick!(layers, backfill.statement_timeout);
        let idle = pick!(layers, backfill.idle_in_transaction_session_timeout);
        let settings = BackfillSettings {
            path: self.path(pick!(layers, backfill.path), limits::BACKFILL_PATH),
            budget: self.duration(pick!(layers, backfill.budget), &limits::BACKFILL_BUDGET),
            batch_size: self.number(pick!(layers, backfill.batch_size), &limits::BATCH_SIZE),
            target: self.duration(pick!(layers, backfill.target), &limits::BATCH_TARGET),
            min_batch: self.number(pick!(layers, backfill.min_batch), &limits::MIN_BATCH),
            max_batch: self.number(pick!(layers, backfill.max_batch), &limits::MAX_BATCH),
            pause: self.duration(pick!(layers, backfill.pause), &limits::BATCH_PAUSE),
            workers: self.number(pick!(layers, backfill.workers), &limits::WORKERS),
            duty_percent: self.percent(pick!(layers, backfill.duty)),
            throttle: self.throttle(layers),
            lock_timeout: self.duration(pick!(layers, backfill.lock_timeout), &limits::BACKFILL_LOCK_TIMEOUT),
            statement_timeout: self.duration(statement, &limits::BACKFILL_STATEMENT_TIMEOUT),
            idle_in_transaction_session_timeout: self.duration(idle, &limits::BACKFILL_IDLE_TIMEOUT),
            progress_every: self.number(pick!(layers, backfill.progress_every), &limits::PROGRESS_EVERY),
        };
        let (min, size, max) = (settings.min_batch, settings.batch_size, settings.max_batch);
        if !(min <= size && size <= max) {
            let written = pick!(layers, backfill.batch_size)
                .or(pick!(layers, backfill.min_batch))
                .or(pick!(layers, backfill.max_batch));
            let message = format!("batch_size {size} is not within min_batch {min} and max_batch {max}");
            let help = "what is not written has its default: 50 <= 200 <= 20000";
            self.refuse(code::OUT_OF_BOUNDS, written.map(At::span), message, help);
        }
        settings
    }

    /// A folder holds one kind of file: two stages cannot share it.
    fn folders_differ(&mut self, layers: Layers<'_>, settings: &Settings) {
        let folders = [
            (
                "index",
                pick!(layers, index.path),
                &settings.index.path,
                [&settings.schema.path, &settings.backfill.path],
            ),
            (
                "backfill",
                pick!(layers, backfill.path),
                &settings.backfill.path,
                [&settings.schema.path, &settings.index.path],
            ),
            (
                "schema",
                pick!(layers, schema.path),
                &settings.schema.path,
                [&settings.index.path, &settings.backfill.path],
            ),
        ];
        let shared =
            folders.into_iter().find(|(_, written, path, others)| written.is_some() && others.contains(path));
        if let Some((stage, written, path, _)) = shared {
            let message =
                format!("the stage {stage} shares the folder `{}` with another stage", path.display());
            let help = "a folder holds one kind of file";
            self.refuse(code::BAD_VALUE, written.map(At::span), message, help);
        }
    }
}
