//! A read-only view of a file in memory. The only module of the crate with unsafe code.
#![expect(
    unsafe_code,
    reason = "mapping a file and reading its bytes as numbers are unsafe; this module keeps both behind a safe view"
)]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// A whole file, mapped read-only. Pages are read when they are first touched and are shared between processes.
pub(super) struct FileMap {
    map: Mmap,
}

/// A number that can be read from any bytes of its size.
///
/// # Safety
///
/// Every bit pattern must be a valid value, and the type must have no padding.
pub(in crate::understand) unsafe trait Plain: Copy + 'static {
    /// The type's code in the model file's table of tensors.
    const CODE: u32;
}

// SAFETY: integers and floats are valid for every bit pattern and have no padding.
unsafe impl Plain for u8 {
    const CODE: u32 = 1;
}
// SAFETY: as above.
unsafe impl Plain for u32 {
    const CODE: u32 = 2;
}
// SAFETY: as above.
unsafe impl Plain for f32 {
    const CODE: u32 = 3;
}

impl FileMap {
    /// Maps the file at `path`. An empty file is an error on some systems.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the mapping is undefined behaviour only if the file changes underneath it. The set-up script never
        // writes to a model in place: it renames a complete new file over it, and the mapping keeps the old one.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map })
    }

    /// The file's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The numbers in `length` bytes at `offset`, in the machine's byte order; empty when the range is outside the
    /// file or not aligned for `T`.
    pub(super) fn values<T: Plain>(&self, offset: usize, length: usize) -> &[T] {
        let end = offset.saturating_add(length);
        let bytes = self.map.get(offset..end).unwrap_or_default();
        // SAFETY: `Plain` types are valid for every bit pattern.
        let (before, values, after) = unsafe { bytes.align_to::<T>() };
        if before.is_empty() && after.is_empty() {
            values
        } else {
            &[]
        }
    }
}
