//! A repository whose tables are not believed: what is needed to check them, and nothing else.

use std::path::Path;

use super::rebuild::{load, whole_store};
use super::{Place, Result};
use crate::catalogue::Catalogue;
use crate::model::{Version, VersionId};
use crate::store::Store;

/// A store that reads every readable pack, and a catalogue of which no row was read.
pub struct Bare {
    /// Where everything lies.
    pub place: Place,
    /// The names.
    pub catalogue: Catalogue,
    store: Store,
}

impl Bare {
    /// Opens the repository that `start` lies in as far as that goes without the tables.
    ///
    /// # Errors
    ///
    /// As [`Place::find`] and [`Catalogue::open`].
    pub fn open(start: &Path) -> Result<Self> {
        let (place, _) = Place::find(start)?;
        let catalogue = Catalogue::open(&place.catalogue())?;
        let store = whole_store(&place)?;
        Ok(Self { place, catalogue, store })
    }

    /// A version, as it lies in the store.
    ///
    /// # Errors
    ///
    /// The store's and the format's.
    pub fn read_version(&self, id: &VersionId) -> Result<Version> {
        load(&self.store, id)
    }
}
