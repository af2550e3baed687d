//! A part of a range that is done in stripes, and the place of a walk in it.

/// What the next chunk is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) blocks: i64,
    pub(crate) stripes: i32,
    /// Into how many parts it falls, whose first stripes all come before their second ones.
    pub(crate) parts: i32,
    /// In how many batches the first stripe of a part is done: its rows leave their pages, which takes more than twice as
    /// long as it takes for those that then find room.
    pub(crate) first: i32,
}

/// Where a walk is: at a stripe of a part of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The chunk's first block.
    pub(crate) block: i64,
    pub(crate) chunk: Chunk,
    /// Counts the first stripe of each part, then the second of each, ..
    pub(crate) step: i32,
}

impl Place {
    /// The block behind the chunk's last.
    pub(crate) fn end(self) -> i64 {
        self.block + self.chunk.blocks
    }

    /// The cursor behind this batch.
    pub(crate) fn next(self) -> (i64, i32) {
        let steps = (self.chunk.stripes - 1 + self.chunk.first) * self.chunk.parts;
        if self.step + 1 < steps { (self.block, self.step + 1) } else { (self.end(), 0) }
    }

    /// The blocks of the batch.
    pub(crate) fn span(self) -> (i64, i64) {
        let (parts, firsts) = (self.chunk.parts, self.chunk.parts * self.chunk.first);
        let (part, parts) =
            if self.step < firsts { (self.step, firsts) } else { ((self.step - firsts) % parts, parts) };
        let at = |part: i32| self.block + self.chunk.blocks * i64::from(part) / i64::from(parts);
        (at(part), at(part + 1))
    }

    /// Which stripe.
    pub(crate) fn stripe(self) -> i32 {
        let firsts = self.chunk.parts * self.chunk.first;
        if self.step < firsts { 0 } else { (self.step - firsts) / self.chunk.parts + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_chunk_meet_every_stripe_of_every_part_once_and_not_soon_again() {
        let chunk = Chunk { blocks: 12, stripes: 8, parts: 3, first: 2 };
        let mut place = Place { block: 100, chunk, step: 0 };
        let mut met = vec![];
        loop {
            met.push((place.span(), place.stripe()));
            match place.next() {
                (block, 0) => {
                    assert_eq!(block, 112);
                    break;
                }
                (_, step) => place.step = step,
            }
        }
        assert_eq!(&met[..3], [((100, 102), 0), ((102, 104), 0), ((104, 106), 0)]);
        assert_eq!(&met[5..9], [((110, 112), 0), ((100, 104), 1), ((104, 108), 1), ((108, 112), 1)]);
        assert_eq!(met.len(), 27);
    }
}
