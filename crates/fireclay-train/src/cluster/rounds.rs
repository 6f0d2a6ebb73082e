//! What processes make of their shares of some items, put back into the order of the items.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Exchange, Lost};

/// Items of each process that are handed over at once.
const ROUND: usize = 8;

/// What this process has made of its items and not handed over. Of `world` processes each takes every `world`th
/// item, from the one of its rank on.
pub(crate) struct Rounds<T>(Vec<T>);

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize + DeserializeOwned> Rounds<T> {
    /// Takes what was made of the next item of this process; gives what now is complete, in the order of the items.
    pub fn put(&mut self, exchange: &mut dyn Exchange, item: T) -> Result<Vec<T>, Lost> {
        if exchange.share().world == 1 {
            return Ok(vec![item]);
        }
        self.0.push(item);
        match self.0.len() == ROUND {
            true => Ok(self.hand_over(exchange, false)?.0),
            false => Ok(Vec::new()),
        }
    }

    /// The rest, once this process has no item left; it waits for the others.
    pub fn end(mut self, exchange: &mut dyn Exchange) -> Result<Vec<T>, Lost> {
        let mut rest = Vec::new();
        let mut is_over = exchange.share().world == 1;
        while !is_over {
            let (items, all_have_ended) = self.hand_over(exchange, true)?;
            rest.extend(items);
            is_over = all_have_ended;
        }
        Ok(rest)
    }

    /// The items of a round, and whether no process has any left.
    fn hand_over(
        &mut self,
        exchange: &mut dyn Exchange,
        has_ended: bool,
    ) -> Result<(Vec<T>, bool), Lost> {
        let own = (has_ended, std::mem::take(&mut self.0));
        let own = rmp_serde::to_vec(&own).expect("plain data");
        let all = exchange.gather(own)?;
        let read = |bytes: &Vec<u8>| rmp_serde::from_slice::<(bool, Vec<T>)>(bytes);
        let all: Result<Vec<_>, _> = all.iter().map(read).collect();
        let all = all.map_err(|error| Lost(format!("a share cannot be read: {error}")))?;
        let all_have_ended = all.iter().all(|(has_ended, _)| *has_ended);
        let mut all: Vec<_> = all
            .into_iter()
            .map(|(_, items)| items.into_iter())
            .collect();
        let rows = (0..ROUND).flat_map(|_| {
            all.iter_mut()
                .filter_map(Iterator::next)
                .collect::<Vec<_>>()
        });
        Ok((rows.collect(), all_have_ended))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::threads::threads;
    use super::*;

    #[test]
    fn items_come_back_in_their_order_whoever_has_made_them() {
        for count in [0, 1, 3, 23, 24, 25, 48, 100] {
            for world in [1, 3] {
                let process = |mut exchange: super::super::threads::Thread| {
                    thread::spawn(move || {
                        let (mut rounds, mut found) = (Rounds::default(), Vec::new());
                        let rank = exchange.share().rank;
                        for item in (0..count).skip(rank).step_by(world) {
                            let item = (item, f64::NAN, -0.0_f32);
                            found.extend(rounds.put(&mut exchange, item).expect("all are there"));
                        }
                        found.extend(rounds.end(&mut exchange).expect("all are there"));
                        found
                    })
                };
                let processes: Vec<_> = threads(world).into_iter().map(process).collect();
                for process in processes {
                    let found = process.join().expect("no panic");
                    let items: Vec<_> = found.iter().map(|(item, ..)| *item).collect();
                    assert_eq!(items, (0..count).collect::<Vec<_>>(), "in {world}");
                    let is_kept = |(_, nan, zero): &(usize, f64, f32)| {
                        nan.is_nan() && zero.is_sign_negative()
                    };
                    assert!(found.iter().all(is_kept), "numbers come as they are");
                }
            }
        }
    }
}
