//! A model file: a table of named tensors in front of their values. `scripts/setup_models.py` writes it.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::map::{FileMap, Plain};

const LAYOUT_VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
const ENTRY_BYTES: usize = 64;
const NAME_BYTES: usize = 32;

/// Why a model file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// There is no file.
    #[error(
        "the sentence encoder is not at {0}; run `make models` (python3 scripts/setup_models.py)"
    )]
    Missing(PathBuf),
    /// The file could not be read or mapped.
    #[error("cannot read the sentence encoder at {path}")]
    Read {
        /// The model file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not one that this version can use.
    #[error(
        "the sentence encoder at {path} cannot be used: {problem}; delete it and run `make models` \
         (python3 scripts/setup_models.py)"
    )]
    Layout {
        /// The model file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

/// An open model file.
pub(in crate::understand) struct ModelFile {
    map: FileMap,
}

/// Where the values of one tensor are. Made by [`ModelFile`] only, for a range that lies inside the file.
pub(in crate::understand) struct Tensor<T> {
    offset: usize,
    length: usize,
    kind: PhantomData<T>,
}

impl ModelFile {
    /// Maps the file and checks its header, which begins with the model's `magic`. Touches the first page only.
    fn open(path: &Path, magic: &[u8]) -> Result<Self, EncoderError> {
        let map = FileMap::open(path).map_err(|source| {
            match source.kind() == std::io::ErrorKind::NotFound {
                true => EncoderError::Missing(path.to_owned()),
                false => EncoderError::Read {
                    path: path.to_owned(),
                    source,
                },
            }
        })?;
        let header = map.bytes().get(..HEADER_BYTES).unwrap_or_default();
        let problem = if !header.starts_with(magic) {
            Some("it is not a model file")
        } else if u32_at(header, 8) != Some(LAYOUT_VERSION) {
            Some("it has another layout version")
        } else if cfg!(target_endian = "big") {
            Some("its numbers are little endian and this machine is not")
        } else {
            None
        };
        match problem {
            Some(problem) => Err(EncoderError::Layout {
                path: path.to_owned(),
                problem: problem.to_owned(),
            }),
            None => Ok(Self { map }),
        }
    }

    /// Maps the file and finds the parts of its model, the tokenizer's first.
    pub(in crate::understand) fn open_model<T, N>(
        path: &Path,
        magic: &[u8],
        tokenizer: fn(&Self) -> Result<T, String>,
        network: fn(&Self) -> Result<N, String>,
    ) -> Result<(Self, T, N), EncoderError> {
        let file = Self::open(path, magic)?;
        match tokenizer(&file).and_then(|tokenizer| Ok((tokenizer, network(&file)?))) {
            Ok((tokenizer, network)) => Ok((file, tokenizer, network)),
            Err(problem) => Err(EncoderError::Layout {
                path: path.to_owned(),
                problem,
            }),
        }
    }

    /// The tensor `name` of one row and any length.
    pub(in crate::understand) fn vector<T: Plain>(&self, name: &str) -> Result<Tensor<T>, String> {
        self.find(name, |rows, _| rows == 1)
    }

    /// The tensor `name` of exactly `rows` by `columns`.
    pub(in crate::understand) fn matrix<T: Plain>(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Tensor<T>, String> {
        self.find(name, |found_rows, found_columns| {
            (found_rows, found_columns) == (rows, columns)
        })
    }

    /// The values of a tensor, row after row.
    pub(in crate::understand) fn values<T: Plain>(&self, tensor: &Tensor<T>) -> &[T] {
        self.map.values(tensor.offset, tensor.length)
    }

    fn find<T: Plain>(
        &self,
        name: &str,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Result<Tensor<T>, String> {
        let count = u32_at(self.map.bytes(), 12).unwrap_or_default() as usize;
        let table = self.map.bytes().get(HEADER_BYTES..).unwrap_or_default();
        let entry = table
            .chunks_exact(ENTRY_BYTES)
            .take(count)
            .find(|entry| entry.split(|byte| *byte == 0).next() == Some(name.as_bytes()))
            .ok_or_else(|| format!("it has no tensor {name}"))?;
        let tensor = read_entry::<T>(entry, fits)
            .ok_or_else(|| format!("its tensor {name} has another shape"))?;
        // An empty view means that the range is outside the file, so the file was cut.
        match self.values(&tensor).is_empty() {
            true => Err(format!("it ends inside the tensor {name}")),
            false => Ok(tensor),
        }
    }
}

fn read_entry<T: Plain>(entry: &[u8], fits: impl Fn(usize, usize) -> bool) -> Option<Tensor<T>> {
    let kind = u32_at(entry, NAME_BYTES)?;
    let rows = u32_at(entry, NAME_BYTES + 4)? as usize;
    let columns = u32_at(entry, NAME_BYTES + 8)? as usize;
    let offset = usize::try_from(u64_at(entry, NAME_BYTES + 16)?).ok()?;
    let length = usize::try_from(u64_at(entry, NAME_BYTES + 24)?).ok()?;
    let whole = rows.checked_mul(columns)?.checked_mul(size_of::<T>())? == length;
    (kind == T::CODE && whole && fits(rows, columns)).then_some(Tensor {
        offset,
        length,
        kind: PhantomData,
    })
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|value| u32::from_le_bytes(*value))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|value| u64::from_le_bytes(*value))
}
