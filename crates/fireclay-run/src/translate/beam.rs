//! The drafts of one translation.

/// A start of a translation.
#[derive(Clone, Debug)]
struct Draft {
    tokens: Vec<u32>,
    /// The sum of the log-probabilities of its tokens.
    score: f64,
}

/// The tokens around a translation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// Read before its first.
    pub start: u32,
    /// Ends it.
    pub end: u32,
}

/// The best drafts of one translation so far, and those that have come to their end.
#[derive(Debug)]
pub(super) struct Beam {
    size: usize,
    length_penalty: f64,
    marks: Marks,
    most: usize,
    /// As many as the size, the best first. At the start all are the same empty one, of which only
    /// the first counts.
    drafts: Vec<Draft>,
    finished: Vec<Draft>,
}

impl Beam {
    /// Nothing written yet. No translation has more than `most` tokens.
    pub fn new(size: usize, length_penalty: f64, marks: Marks, most: usize) -> Self {
        let draft = |rank| Draft {
            tokens: Vec::new(),
            score: if rank == 0 { 0.0 } else { f64::NEG_INFINITY },
        };
        Self {
            size,
            length_penalty,
            marks,
            most,
            drafts: (0..size).map(draft).collect(),
            finished: Vec::new(),
        }
    }

    /// The token after which each draft goes on.
    pub fn last_tokens(&self) -> impl Iterator<Item = u32> {
        let last = |draft: &Draft| draft.tokens.last().copied().unwrap_or(self.marks.start);
        self.drafts.iter().map(last)
    }

    /// Whether the search is over: a draft that ended is better than any that might still end, as far
    /// as their scores so far tell, or the next token would be one too many (Huang et al. 2017,
    /// "When to Finish? Optimal Beam Search for Neural Text Generation", section 3).
    pub fn is_done(&self) -> bool {
        let ended = self.finished.iter().map(|draft| self.value(draft));
        let best = ended.fold(f64::NEG_INFINITY, f64::max);
        let hope = self.value(&self.drafts[0]);
        (!self.finished.is_empty() && best >= hope) || self.drafts[0].tokens.len() >= self.most
    }

    /// The score by which drafts of other lengths are compared; the end counts as a token.
    fn value(&self, draft: &Draft) -> f64 {
        let length = (draft.tokens.len() + 1) as f64;
        draft.score / ((5.0 + length) / 6.0).powf(self.length_penalty)
    }

    /// Goes on with the best next tokens; `scores` are the log-probabilities of every token after
    /// each draft. Gives, for each draft now, the one that it goes on from.
    pub fn step(&mut self, scores: &[f32]) -> Vec<usize> {
        if self.is_done() {
            return (0..self.size).collect();
        }
        let mut parents = Vec::new();
        let mut drafts = Vec::new();
        for (rank, (draft, token, score)) in self.best_next(scores).into_iter().enumerate() {
            if token == self.marks.end {
                // An end that is not among the best would be taken for want of something else.
                if rank < self.size {
                    let tokens = self.drafts[draft].tokens.clone();
                    self.finished.push(Draft { tokens, score });
                }
            } else if drafts.len() < self.size {
                let mut tokens = self.drafts[draft].tokens.clone();
                tokens.push(token);
                drafts.push(Draft { tokens, score });
                parents.push(draft);
            }
        }
        // A vocabulary smaller than the beam leaves places empty.
        while drafts.len() < self.size {
            let mut last = self.drafts[self.size - 1].clone();
            last.tokens.push(self.marks.end);
            last.score = f64::NEG_INFINITY;
            drafts.push(last);
            parents.push(self.size - 1);
        }
        self.drafts = drafts;
        parents
    }

    /// The draft, token and score of the best continuations: twice as many as there are drafts, so
    /// that enough are left if all drafts end. Equal ones in the order of drafts and tokens.
    fn best_next(&self, scores: &[f32]) -> Vec<(usize, u32, f64)> {
        let vocabulary = scores.len() / self.size;
        let mut all = Vec::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            if draft.score == f64::NEG_INFINITY {
                continue;
            }
            let own = &scores[index * vocabulary..(index + 1) * vocabulary];
            let next = (0..).zip(own.iter().map(|score| draft.score + f64::from(*score)));
            all.extend(next.map(|(token, score)| (index, token, score)));
        }
        let order = |a: &(usize, u32, f64), b: &(usize, u32, f64)| {
            b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)).then(a.1.cmp(&b.1))
        };
        let wanted = 2 * self.size;
        if all.len() > wanted {
            all.select_nth_unstable_by(wanted, order);
            all.truncate(wanted);
        }
        all.sort_by(order);
        all
    }

    /// The best of the drafts that ended, or of all where none did.
    pub fn best(self) -> Vec<u32> {
        let drafts = match self.finished.is_empty() {
            true => &self.drafts,
            false => &self.finished,
        };
        let better = |best, draft| match self.value(draft) > self.value(best) {
            true => draft,
            false => best,
        };
        let best = drafts.iter().reduce(better);
        best.map_or_else(Vec::new, |draft| draft.tokens.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log-probabilities of the tokens 0 (the end), 1 and 2 after a text.
    fn next(text: &[u32]) -> [f32; 3] {
        let probabilities: [f32; 3] = match text {
            [] => [0.01, 0.5, 0.49],
            // What begins best goes on badly.
            [1] => [0.34, 0.33, 0.33],
            [2] => [0.02, 0.03, 0.95],
            [2, 2] => [0.98, 0.01, 0.01],
            _ => [0.5, 0.25, 0.25],
        };
        probabilities.map(f32::ln)
    }

    fn search(size: usize, length_penalty: f64, most: usize) -> Vec<u32> {
        let mut beam = Beam::new(size, length_penalty, Marks { start: 0, end: 0 }, most);
        while !beam.is_done() {
            let texts: Vec<_> = beam
                .drafts
                .iter()
                .map(|draft| draft.tokens.clone())
                .collect();
            let scores: Vec<f32> = texts.iter().flat_map(|text| next(text)).collect();
            let parents = beam.step(&scores);
            for (draft, parent) in beam.drafts.iter().zip(parents) {
                assert_eq!(draft.tokens[..draft.tokens.len() - 1], texts[parent]);
            }
        }
        beam.best()
    }

    #[test]
    fn a_beam_of_one_takes_the_best_token_each_time() {
        assert_eq!(search(1, 0.0, 10), [1]);
    }

    #[test]
    fn a_wider_beam_finds_the_better_whole() {
        assert_eq!(search(2, 0.0, 10), [2, 2]);
        assert_eq!(search(3, 0.6, 10), [2, 2]);
    }

    #[test]
    fn the_length_is_bounded() {
        assert_eq!(search(2, 0.6, 1).len(), 1);
    }

    #[test]
    fn a_beam_wider_than_the_vocabulary_is_no_trouble() {
        assert_eq!(search(8, 0.0, 10), [2, 2]);
    }
}
