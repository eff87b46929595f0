//! A body as it grows.

/// glibc gives a piece of more than 128 KiB pages of its own, which go back to the system when it is
/// freed. But the largest piece ever freed so, up to 32 MiB, becomes the new bound: after one body
/// of 20 MiB in one piece, all are kept in heaps, one a thread, that hardly ever shrink.
const BLOCK: usize = 256 << 10;

/// Bytes in blocks: nothing is moved when they grow, and what is refused for its size was never one
/// large piece.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Vec<u8>>,
    length: usize,
}

impl Blocks {
    /// Adds bytes at the end.
    pub(super) fn extend(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            let block = match self.blocks.last_mut() {
                Some(block) if block.len() < BLOCK => block,
                _ => {
                    let capacity = if self.blocks.is_empty() { 0 } else { BLOCK };
                    self.blocks.push(Vec::with_capacity(capacity));
                    continue;
                }
            };
            let (fits, rest) = bytes.split_at(bytes.len().min(BLOCK - block.len()));
            block.extend_from_slice(fits);
            bytes = rest;
        }
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// All of them in one piece.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        if self.blocks.len() < 2 {
            return self.blocks.pop().unwrap_or_default();
        }
        let mut all = Vec::with_capacity(self.length);
        for block in self.blocks {
            all.extend_from_slice(&block);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        for (count, step) in [(0, 1), (1, 1), (BLOCK, 1000), (BLOCK + 1, BLOCK), (300_000, 70_000)]
        {
            let bytes: Vec<u8> = (0..count).map(|number| (number % 251) as u8).collect();
            let mut blocks = Blocks::default();
            bytes.chunks(step).for_each(|chunk| blocks.extend(chunk));
            assert_eq!(blocks.len(), count);
            assert_eq!(blocks.into_vec(), bytes);
        }
    }
}
