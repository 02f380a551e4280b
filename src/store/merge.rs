//! Copying what is still needed into new packs.
//!
//! Here: rewriting packs for merging, collection and erasure.
//! Not here: what is needed (`repo`), exchanging the packs in the catalogue (`catalogue`).
//! Invariant: a frame is copied only after its content was checked, and the old packs stay as
//! they are.

use std::collections::HashSet;
use std::sync::Arc;

use super::Store;
use super::check::Stream;
use super::error::{Error, damaged, io_at};
use super::packs::{PackInfo, PackTable, open_pack};
use super::view::View;
use super::write::{Gauge, LEVEL, Packer, WriteSession};
use crate::format::frame::codec::Decoder;
use crate::format::frame::{FrameDamage, Key};
use crate::format::kind::Kind;
use crate::format::pack::{PackDamage, PackKind};

/// What a merge would make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// So many packs.
    pub packs: u64,
    /// Their length in bytes, all together.
    pub bytes: u64,
    /// Chunks in them.
    pub chunks: u64,
}

/// What copying one pack needs.
struct Copier<'c> {
    keep: &'c (dyn Fn(&Key) -> bool + Sync),
    recompress: bool,
    decoder: Decoder,
    object: Vec<u8>,
}

impl Store {
    /// Copies the objects of `packs` that `keep` accepts, each once, into new packs, which are
    /// durable and named when it returns. Frames are copied as they are, or compressed again when
    /// a `level` of zstd is given.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] at the first frame that is to be kept and is not whole; [`Error::Missing`].
    /// Nothing has then changed.
    pub fn merge(
        &self,
        packs: &[PackInfo],
        keep: &(dyn Fn(&Key) -> bool + Sync),
        epoch: u64,
        level: Option<i32>,
    ) -> Result<Vec<PackInfo>, Error> {
        let inner = Arc::clone(&self.inner);
        // Against an empty view: what is copied must not lean on the packs it is copied from.
        let session = WriteSession::new(inner, View::default(), epoch, level.unwrap_or(LEVEL));
        let decoder = Decoder::new().map_err(io_at("set up zstd to read", super::PACKS))?;
        let recompress = level.is_some();
        let mut copier = Copier { keep, recompress, decoder, object: Vec::new() };
        for kind in [PackKind::Data, PackKind::Meta] {
            let mut packer = session.packer(kind)?.of_merged();
            for pack in packs.iter().filter(|pack| pack.kind == kind) {
                self.copy(pack, &mut packer, &mut copier)?;
            }
            packer.finish()?;
        }
        session.finish()
    }

    /// What [`merge`](Self::merge) would make of the same packs without compressing again, to the
    /// byte, by their tables alone: nothing is written, and damage to frames is not seen.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] or [`Error::Missing`] where a table cannot be read.
    pub fn measure_merge(
        &self,
        packs: &[PackInfo],
        keep: &(dyn Fn(&Key) -> bool + Sync),
    ) -> Result<Merged, Error> {
        let (mut merged, mut known) = (Merged::default(), HashSet::new());
        for kind in [PackKind::Data, PackKind::Meta] {
            let mut gauge = None;
            for pack in packs.iter().filter(|pack| pack.kind == kind) {
                for object in self.objects(pack.name)? {
                    if keep(&object.key) && known.insert(object.key) {
                        let gauge = gauge.get_or_insert_with(|| Gauge::new(self.inner.pack_bytes));
                        gauge.put(u64::from(object.frame_len));
                        merged.chunks += u64::from(object.key.kind == Kind::Chunk);
                    }
                }
            }
            merged.packs += gauge.as_ref().map_or(0, |gauge| gauge.packs);
            merged.bytes += gauge.map_or(0, |gauge| gauge.bytes);
        }
        Ok(merged)
    }

    fn copy(
        &self,
        pack: &PackInfo,
        packer: &mut Packer,
        copier: &mut Copier<'_>,
    ) -> Result<(), Error> {
        let file = open_pack(self.inner.medium.as_ref(), pack.name)?;
        let (info, table) = PackTable::load(file.as_ref(), pack.name)?;
        if info != *pack {
            return Err(damaged(pack.name)(PackDamage::Record));
        }
        let entries = table.in_pack_order(info.kind).map_err(damaged(pack.name))?;
        let mut stream = Stream::new(pack.name, file, table.frames_end);
        for entry in entries.iter().filter(|entry| (copier.keep)(&entry.key)) {
            let offset = u64::from(entry.offset);
            let bad = |source| damaged(pack.name)(PackDamage::Frame { offset, source });
            let (header, stored) = stream.frame(offset)?;
            copier.decoder.object(&header, stored, &mut copier.object).map_err(bad)?;
            if header.kind != entry.key.kind || !entry.key.accepts(&copier.object) {
                return Err(bad(FrameDamage::Content(entry.key)));
            }
            if copier.recompress {
                packer.put(&entry.key, &copier.object)?;
            } else {
                packer.put_frame(&entry.key, &header, stored)?;
            }
        }
        Ok(())
    }
}
