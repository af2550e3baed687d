//! A unit with the texts that it is worked on with.

use crate::definition::Definition;
use crate::names::Over;
use crate::relation::Relation;
use crate::strides::{self, Strides};
use crate::texts::{self, Texts};
use crate::unit::Unit;

/// A unit with everything to work on it.
pub(crate) struct Part {
    pub(crate) unit: Unit,
    pub(crate) relation: Relation,
    pub(crate) texts: Texts,
    pub(crate) blocks: Option<Strides>,
    pub(crate) keys: Strides,
}

impl Part {
    pub(crate) fn compose(
        definition: &Definition,
        (unit, relation): (Unit, Relation),
        ledger: &str,
    ) -> Option<Self> {
        let texts = texts::compose(definition, &relation, ledger)?;
        let keys = strides::compose(definition, &relation, ledger, Over::Keys)?;
        let blocks = match relation.has_blocks && !definition.is_once() {
            true => strides::compose(definition, &relation, ledger, Over::Blocks),
            false => None,
        };
        Some(Self { unit, relation, texts, blocks, keys })
    }
}
